/** What is done to the values of each feature before the network is given them: plain data, so that it can be kept and sent. */
export interface Preprocessing {
  /** In the order in which their numbers lie in a row. */
  readonly columns: readonly FittedColumn[];
  /** Whether each column is an input of its own even where all of them are numbers. */
  readonly isByName?: boolean | undefined;
}

/** A column with all that was learned from its training rows. */
export interface FittedColumn {
  readonly name: string;
  readonly kind: "number" | "text";
  /** Elements of a row's value, before it is encoded. */
  readonly width: number;
  /** Takes the place of a missing value: a finite FP32 number, or a text. */
  readonly fill: number | string | undefined;
  readonly encoder: Encoder;
}

/** How a value becomes numbers. All arithmetic is in single precision, as in the ONNX model, so that both give the same bits. */
export type Encoder =
  /** (x − offset) / scale, for each of `width` elements. */
  | { readonly kind: "affine"; readonly offset: Float32Array; readonly scale: Float32Array }
  /** The index of the category; the count of categories for any other value. */
  | { readonly kind: "index"; readonly categories: Categories }
  /** 1 in the place of the category, 0 in the others; all 0 for any other value. */
  | { readonly kind: "one_hot"; readonly categories: Categories; readonly ignoreUnknown: boolean };

/** Different values, FP32 numbers or texts, in the order of their indices. */
export type Categories = readonly number[] | readonly string[];

/** Numbers that the column becomes. */
export function encodedWidth({ encoder, width }: FittedColumn): number {
  return { affine: width, index: 1, one_hot: encoder.kind === "one_hot" ? encoder.categories.length : 0 }[encoder.kind];
}

/** Whether the numbers of a column are taken as they are. */
export function isPlain({ fill, encoder }: FittedColumn): boolean {
  if (fill !== undefined || encoder.kind !== "affine") return false;
  return encoder.offset.every((offset) => offset === 0) && encoder.scale.every((scale) => scale === 1);
}
