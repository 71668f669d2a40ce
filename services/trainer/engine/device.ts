/** What a training may run on. */
export const devices = ["cpu", "webgpu", "cuda"] as const;

/** cuda needs the libraries of onnxruntime-node's optional download; webgpu a driver of the system. */
export type Device = (typeof devices)[number];

/** What a training runs by, as far as its machine decides it. */
export interface Compute {
  /** Threads inside one operator of the runtime, or that share the rows of a batch. */
  readonly threadCount: number;
  readonly device: Device;
  /** A training on the CPU that is estimated to take more memory, in bytes, is refused; none is if not set. */
  readonly memoryBytesMax?: number | undefined;
}

/**
 * Whether sizes that are known only at run time are worked out on the CPU, and so is a Loop. Graphs for such a device have all sizes in
 * them and take one step.
 */
export function needsFixedSizes(device: Device): boolean {
  return device === "webgpu";
}
