import { elementBytes, elementCount, type Tensor } from "../../../lib/tensor.ts";

/** A tensor that a session keeps in the memory of its device for a run to come. It has no `bytes` here. */
export interface HeldTensor extends Tensor {
  readonly hold: Hold;
}

/** The right to give a session what it keeps. */
export interface Hold {
  /** Whether it was let go, or lost with its session. */
  readonly isGone: boolean;
  /** Lets the session free the memory, after the runs that it has been given. Only the first call counts. */
  letGo(): void;
}

/** The name by which an output is wanted that stays on the device. No output of a file has a NUL in its name. */
export function heldName(outputName: string): string {
  return `\0${outputName}`;
}

/** The hold of a tensor that a session keeps; undefined of one that is here. */
export function holdOf(tensor: Tensor): Hold | undefined {
  return (tensor as Partial<HeldTensor>).hold;
}

/** Whether one of the tensors cannot be given to its session any more. */
export function hasGone(tensors: readonly Tensor[]): boolean {
  return tensors.some((tensor) => holdOf(tensor)?.isGone === true);
}

/** Lets go what sessions keep of these. */
export function letGoAll(tensors: readonly Tensor[]): void {
  for (const tensor of tensors) holdOf(tensor)?.letGo();
}

/** The size of tensors, wherever they are. */
export function bytesOf(tensors: readonly Tensor[]): number {
  return tensors.reduce(
    (sum, tensor) => sum + (holdOf(tensor) === undefined ? tensor.bytes.byteLength : heldBytes(tensor)),
    0,
  );
}

function heldBytes({ shape, dataType }: Tensor): number {
  return elementCount(shape) * elementBytes[dataType]!;
}
