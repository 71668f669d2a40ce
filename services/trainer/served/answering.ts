import type { Signature, Tensor } from "../../../lib/tensor.ts";

/** A served model that answers rows, wherever it runs. */
export interface Answering {
  /** With the labels of its outputs, where it has them. */
  readonly signature: Signature;
  /** The outputs for some rows. Inputs are only read. */
  answer(inputs: readonly Tensor[]): Promise<readonly Tensor[]>;
}
