/** The element types of the Open Inference Protocol and the size of one element in bytes; BYTES elements have their own sizes. */
export const elementBytes = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  BF16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: undefined,
} as const satisfies Record<string, number | undefined>;

/** An element type in the words of the Open Inference Protocol. */
export type DataType = keyof typeof elementBytes;

/**
 * A dense, row-major view over bytes it does not own.
 *
 * - `shape` is `[rows, ...features]`. Only axis 0 may be joined or split by the batcher.
 * - `bytes` is little-endian. It may alias a receive buffer: read it during the call, copy it to keep it.
 *   BYTES elements are each a uint32 length followed by as many bytes.
 *
 * Invariant: `bytes.byteLength === product(shape) * elementBytes[dataType]`, except for BYTES.
 */
export interface Tensor {
  readonly name: string;
  readonly dataType: DataType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** One input or output of a model; a text in the shape is the name of a symbolic dimension. */
export interface TensorSpec {
  readonly name: string;
  readonly dataType: DataType;
  readonly shape: readonly (number | string)[];
  /** Whether a request may leave it out; only inputs are. */
  readonly optional?: boolean;
  /** Names of the classes that the elements of a row stand for, by index; only outputs have them, where the model says them. */
  readonly labels?: readonly string[];
}

/** The inputs and outputs of a model, in the order of its file. */
export interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

/** The number of elements of a shape: 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
