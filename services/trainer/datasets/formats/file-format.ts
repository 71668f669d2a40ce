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
  readonly channels: 1 | 3;
  /** Undefined where all have one size already. */
  readonly scaled: ImageScaling | undefined;
}

/** How images of any size become those of one. */
export interface ImageScaling extends ImageSize {
  /** What becomes of other proportions, as sharp names it: stretched, cut, or with black at the sides. */
  readonly fit: "fill" | "cover" | "contain";
}

/** In pixels, each from 1 to {@link imageSideMax}. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

export const imageSideMax = 4096;

export const tokenizers = ["bytes", "gpt2", "cl100k_base", "o200k_base"] as const;
export type Tokenizer = (typeof tokenizers)[number];

/** What a column is said to hold: numbers; categories, which are texts unless all of them are numbers; or times, which may be numbers too. */
export type SaidKind = "number" | "category" | "time";

/** A file to be read, and what reading it may take. */
export interface DatasetFile {
  readonly path: string;
  /** Where it is undefined the file's first bytes tell. */
  readonly format: FileFormat | undefined;
  /** An empty folder of the job's own, which the reader may fill up to some times the file's size. */
  readonly folder: string;
  readonly memoryBytesMax: number;
  readonly threadCount: number;
  /** Bytes of all files of an archive together, without compression. */
  readonly expandedBytesMax: number;
  /** What columns hold, by name; any other one of CSV or NDJSON is of numbers if the first value in it is one. */
  readonly kinds?: ReadonlyMap<string, SaidKind> | undefined;
  /** Of .npy: how many of the last columns are targets. */
  readonly targetCount?: number | undefined;
  /** Of text: tokens of a row that go in; each row's targets are the same tokens one place further. Rows are single tokens without it. */
  readonly context?: number | undefined;
}
