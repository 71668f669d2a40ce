import type { RowShuffle } from "./row-order.ts";

/** What the thread that reads ahead is started with, all that it shares with its reader. */
export interface ReadAhead {
  readonly path: string;
  readonly rowCount: number;
  readonly rowBytes: number;
  readonly shuffle: RowShuffle | undefined;
  readonly firstWindow: number;
  /** Filled in turn. */
  readonly windows: readonly SharedArrayBuffer[];
  /** Its elements are {@link slot}s. */
  readonly control: Int32Array;
  /** Why it could not go on, in UTF-8, up to the first zero. */
  readonly failure: Uint8Array;
}

/** Elements of `control`: windows that have been read, and that were given back, and whether either side has ended. */
export const slot = { filled: 0, freed: 1, state: 2, count: 3 } as const;

export const state = { running: 0, closed: 1, failed: 2 } as const;
