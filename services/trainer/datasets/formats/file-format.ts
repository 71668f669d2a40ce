import type { ValueKind } from "./relation.ts";

/** How a file is read; the fields are those of the contract, with their defaults set. */
export type FileFormat =
  | CsvFormat
  | { readonly kind: "parquet" }
  | { readonly kind: "ndjson" }
  | NumpyFormat
  | ImagesFormat
  | { readonly kind: "text"; readonly tokenizer: Tokenizer };

export interface CsvFormat {
  readonly kind: "csv";
  readonly header: boolean;
  /** One ASCII character. */
  readonly delimiter: string;
  /** Stands for a missing value, besides the empty text. */
  readonly missingText: string;
}

export interface NumpyFormat {
  readonly kind: "numpy";
  /** The arrays of an .npz. */
  readonly features: string;
  readonly targets: string;
}

export interface ImagesFormat {
  readonly kind: "images";
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

export const tokenizers = ["bytes", "gpt2", "cl100k_base", "o200k_base"] as const;
export type Tokenizer = (typeof tokenizers)[number];

/** A file to be read, and what reading it may take. */
export interface DatasetFile {
  readonly path: string;
  readonly format: FileFormat;
  /** An empty folder of the job's own, which the reader may fill up to some times the file's size. */
  readonly folder: string;
  readonly memoryBytesMax: number;
  readonly threadCount: number;
  /** Bytes of all files of an archive together, without compression. */
  readonly expandedBytesMax: number;
  /**
   * What columns hold, by name, where it does not follow from the file. A column of a CSV file that is not named here is of numbers if the
   * first value in it is one.
   */
  readonly kinds?: ReadonlyMap<string, Extract<ValueKind, "number" | "text">>;
  /** Of .npy: how many of the last columns are targets. */
  readonly targetCount?: number | undefined;
  /** Of text: tokens of a row that go in; each row's targets are the same tokens one place further. */
  readonly context?: number | undefined;
}
