import type { Device__Output } from "../../../lib/gen/amaas/trainer/v1/Device.ts";
import type { Device } from "../engine/device.ts";

/** The devices of the contract; undefined where the trainer's setting counts. */
export const deviceOf = {
  DEVICE_UNSPECIFIED: undefined,
  DEVICE_CPU: "cpu",
  DEVICE_WEBGPU: "webgpu",
  DEVICE_CUDA: "cuda",
} as const satisfies Record<Device__Output, Device | undefined>;
