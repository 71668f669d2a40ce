import { type Device, devices } from "../engine/device.ts";
import { specError } from "../graph/spec-error.ts";
import { deviceOf } from "./device-message.ts";
import type { Work } from "./work.ts";

/** What a worker has for jobs. */
export interface Offer {
  readonly devices: readonly Device[];
  /** Memory for one job, in bytes. */
  readonly memoryBytes: number;
}

/**
 * What a job needs of a worker, as a text that is the name of its queue: a device or "any", and the memory in bytes, such as "cuda-8589934592".
 * Memory is rounded up, so that there are few classes: to a quarter of the power of two below it. A sweep needs nothing but its trials.
 */
export type ResourceClass = "sweep" | `${Device | "any"}-${number}`;

/** What the work of a job needs; SPEC_INVALID for less than no memory. */
export function resourceClassOf(work: Work): ResourceClass {
  if (work.kind === "sweep") return "sweep";
  const device = work.kind === "train" ? deviceOf[work.spec.device] : undefined;
  const memoryBytes = work.spec.limits?.memoryBytes ?? 0;
  if (memoryBytes < 0) throw specError("limits.memory_bytes", memoryBytes, "at least 0");
  return `${device ?? "any"}-${roundedUp(memoryBytes)}`;
}

/** Whether a worker has what jobs of a class need; a name that is of no class fits nobody. Sweeps run beside other jobs, and fit no offer. */
export function fits(name: string, { devices: offered, memoryBytes }: Offer): boolean {
  const [device, needed] = name.split("-");
  const hasDevice = device === "any" || offered.includes(device as Device);
  return hasDevice && Number(needed) <= memoryBytes;
}

/** What a job of a class needs, in words. */
export function needsOf(name: ResourceClass): string {
  const [device, bytes] = name.split("-");
  const needs = [
    devices.includes(device as Device) ? `the device ${device}` : [],
    Number(bytes) > 0 ? `${bytes} bytes of memory` : [],
  ];
  return needs.flat().join(" and ");
}

function roundedUp(bytes: number): number {
  if (bytes === 0) return 0;
  const step = Math.max(2 ** (Math.floor(Math.log2(bytes)) - 2), leastStepBytes);
  return Math.ceil(bytes / step) * step;
}

const leastStepBytes = 64 * 1024 ** 2;
