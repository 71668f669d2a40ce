import type { Preprocessing } from "./columns/preprocessing.ts";

/** Rows of numbers that a training reads, in memory or on disk; `openRows` of rows/open-rows.ts makes one of its {@link RowStorage}. */
export interface RowSource {
  readonly rowCount: number;
  /** Rows that lie in memory at the same time while they are read, at most. */
  readonly rowsInMemory: number;
  /** Elements of a row that goes in. */
  readonly featureCount: number;
  /** Elements of its target. */
  readonly targetCount: number;
  /**
   * The rows in the order of an epoch (from 1), from the place `firstRow` of that order on. The order depends on the seed and the epoch
   * alone, so that a run can begin anywhere.
   */
  shuffled(seed: number, epoch: number, firstRow: number): RowReader;
  /** The rows in the order of the file. */
  inOrder(): RowReader;
}

/** Goes through rows, once. */
export interface RowReader {
  /**
   * Reads the next rows into the given arrays, as many as fit; answers how many, 0 behind the last. Blocks until they are there. The arrays
   * are of the types of the rows: INT32 for tokens and classes, FP32 for numbers.
   */
  read(features: RowElements, targets: RowElements): number;
  /** Milliseconds that `read` has waited for data. */
  readonly waitedMs: number;
  /** Ends the reading; nothing can be read any more. */
  close(): void;
}

export type RowElements = Float32Array | Int32Array;

/** Where rows lie: plain data, so that another thread can be given it. */
export type RowStorage = MemoryStorage | DiskStorage;

/** Rows in memory, in the order of the file. Arrays over a SharedArrayBuffer are shared between threads, others are copied. */
export interface MemoryStorage {
  readonly kind: "memory";
  readonly featureCount: number;
  readonly targetCount: number;
  /** Row-major, all rows of the dataset. */
  readonly features: RowElements;
  readonly targets: RowElements;
  /** Which of them these are, ascending. */
  readonly rows: Int32Array;
}

/** Rows in a file, one behind the other: the elements of features, then those of targets, little-endian, 4 bytes each. */
export interface DiskStorage {
  readonly kind: "disk";
  readonly path: string;
  readonly rowCount: number;
  readonly featureCount: number;
  readonly targetCount: number;
}

/** A dataset as a training takes it: plain data, so that another thread can be given it. */
export interface PreparedData {
  /** Rows of the file that are neither learned from nor held out; 0 where not set. */
  readonly leftOutCount?: number | undefined;
  readonly training: RowStorage;
  /** The rows that are held out; may be none. */
  readonly validation: RowStorage;
  /** What was done to features; absent where they are taken as they are. */
  readonly preprocessing?: Preprocessing | undefined;
  /** The names of classes, by index; absent where they have none. */
  readonly classNames?: readonly string[] | undefined;
  /** What the served model says of itself besides, by name. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}
