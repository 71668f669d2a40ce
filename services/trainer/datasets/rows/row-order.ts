import { Random } from "../../../../lib/random.ts";

/** Rows that lie one behind the other, read at once. */
export interface RowBlock {
  readonly firstRow: number;
  readonly rowCount: number;
}

/** Bytes of a block, and of the blocks that are shuffled together; a row may be larger. They decide orders, and so weights. */
const blockBytes = 128 * 1024;
const windowBytes = 16 * 1024 ** 2;

/**
 * The order of rows in an epoch, or that of the file: windows of blocks, and the rows of a window in any order, so that rows on disk need
 * neither fit into memory nor be looked up one by one. It says nothing of where rows lie: the same rows have the same order everywhere.
 *
 * Rows that fit into one window are in the order of a random permutation of all of them.
 */
export class RowOrder {
  readonly rowCount: number;
  readonly windowCount: number;
  /** Rows of every window but those with the last block of the file, which may have fewer. */
  readonly windowRows: number;
  readonly #shuffle: RowShuffle | undefined;
  readonly #blockRows: number;
  readonly #blocksPerWindow: number;
  readonly #blocks: Int32Array;

  /** In the order of the file without a `shuffle`. */
  constructor(rowCount: number, rowBytes: number, shuffle?: RowShuffle) {
    this.rowCount = rowCount;
    this.#shuffle = shuffle;
    this.#blockRows = Math.max(1, Math.floor(blockBytes / rowBytes));
    this.#blocksPerWindow = Math.max(1, Math.floor(windowBytes / (this.#blockRows * rowBytes)));
    this.windowRows = Math.min(rowCount, this.#blockRows * this.#blocksPerWindow);
    const blockCount = Math.ceil(rowCount / this.#blockRows);
    this.windowCount = Math.ceil(blockCount / this.#blocksPerWindow);
    this.#blocks =
      shuffle === undefined || this.windowCount <= 1
        ? Int32Array.from({ length: blockCount }, (_, block) => block)
        : this.#random("").permutation(blockCount);
  }

  /** In the order in which they lie in memory, one behind the other. */
  blocksOf(window: number): readonly RowBlock[] {
    const first = window * this.#blocksPerWindow;
    return Array.from(this.#blocks.subarray(first, first + this.#blocksPerWindow), (block) => {
      const firstRow = block * this.#blockRows;
      return { firstRow, rowCount: Math.min(this.#blockRows, this.rowCount - firstRow) };
    });
  }

  rowsIn(window: number): number {
    return this.blocksOf(window).reduce((sum, { rowCount }) => sum + rowCount, 0);
  }

  /** The places in which the rows of a window lie in memory, in the order in which they are read. */
  placesIn(window: number): Int32Array {
    const count = this.rowsIn(window);
    if (this.#shuffle === undefined) return Int32Array.from({ length: count }, (_, place) => place);
    return this.#random(this.windowCount <= 1 ? "" : ` window ${window}`).permutation(count);
  }

  /** The window that has a row of the order, and the rows before that one in it. */
  windowWith(row: number): { readonly window: number; readonly before: number } {
    let [window, before] = [0, row];
    while (window < this.windowCount && before >= this.rowsIn(window)) before -= this.rowsIn(window++);
    return { window, before };
  }

  #random(part: string): Random {
    const { seed, epoch } = this.#shuffle!;
    return new Random(seed, `epoch ${epoch}${part}`);
  }
}

/** What decides an order of an epoch, which counts from 1. */
export interface RowShuffle {
  readonly seed: number;
  readonly epoch: number;
}
