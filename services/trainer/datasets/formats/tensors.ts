/** Rows one after the other; both arrays hold `rowCount` of them. */
export interface TensorBatch {
  readonly rowCount: number;
  readonly features: Float32Array | Int32Array;
  readonly targets: Float32Array | Int32Array;
}

/** A file whose rows are tensors of one shape. */
export interface Tensors {
  readonly kind: "tensors";
  readonly rowCount: number;
  /** Without the axis of rows. Images are [channels, height, width]. */
  readonly featureShape: readonly number[];
  readonly featureType: "FP32" | "INT32";
  /** Empty for one number per row, and undefined where there are no targets. */
  readonly targetShape: readonly number[] | undefined;
  /** INT32 targets are classes, or tokens. */
  readonly targetType: "FP32" | "INT32";
  /** The name of each class, where the file has names. */
  readonly classNames: readonly string[] | undefined;
  /** All rows in the order of the file, from the first on at each call; a batch's arrays are read before the next one is asked for. */
  batches(): AsyncIterable<TensorBatch>;
  /** Where a row is in the file, such as "row 7" from 1, or "cats/7.png". */
  placeOf(row: number): string;
  close(): void;
}

/** Rows of so many elements that a batch has, about a MiB of them. */
export function rowsPerBatch(elementCount: number): number {
  return Math.max(1, Math.min(4096, Math.floor(2 ** 18 / Math.max(1, elementCount))));
}
