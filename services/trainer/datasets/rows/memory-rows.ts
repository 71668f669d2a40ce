import type { MemoryStorage, RowElements, RowReader, RowSource } from "../row-source.ts";
import { copyRows } from "./copy-rows.ts";
import { RowOrder } from "./row-order.ts";

/** Rows in memory. */
export class MemoryRows implements RowSource {
  readonly rowCount: number;
  readonly rowsInMemory: number;
  readonly featureCount: number;
  readonly targetCount: number;
  readonly #storage: MemoryStorage;

  constructor(storage: MemoryStorage) {
    this.#storage = storage;
    this.rowCount = storage.rows.length;
    this.rowsInMemory = this.rowCount;
    this.featureCount = storage.featureCount;
    this.targetCount = storage.targetCount;
  }

  shuffled(seed: number, epoch: number, firstRow: number): RowReader {
    return this.#reader({ seed, epoch }, firstRow);
  }

  inOrder(): RowReader {
    return this.#reader(undefined, 0);
  }

  #reader(shuffle: ConstructorParameters<typeof RowOrder>[2], firstRow: number): RowReader {
    const rowBytes = (this.featureCount + this.targetCount) * Int32Array.BYTES_PER_ELEMENT;
    return new MemoryReader(this.#storage, new RowOrder(this.rowCount, rowBytes, shuffle), firstRow);
  }
}

class MemoryReader implements RowReader {
  readonly waitedMs = 0;
  readonly #storage: MemoryStorage;
  readonly #order: RowOrder;
  #window: number;
  /** What is still to be read of the window. */
  #rows: Int32Array;

  constructor(storage: MemoryStorage, order: RowOrder, firstRow: number) {
    this.#storage = storage;
    this.#order = order;
    const { window, before } = order.windowWith(firstRow);
    this.#window = window;
    this.#rows = this.#rowsOf(window).subarray(before);
  }

  read(features: RowElements, targets: RowElements): number {
    const { featureCount, targetCount } = this.#storage;
    const wanted = Math.floor(features.length / featureCount);
    let count = 0;
    while (count < wanted) {
      if (this.#rows.length === 0) this.#rows = this.#rowsOf(++this.#window);
      if (this.#rows.length === 0) break;
      const rows = this.#rows.subarray(0, wanted - count);
      copyRows(this.#storage.features, featureCount, 0, featureCount, rows, features, count);
      copyRows(this.#storage.targets, targetCount, 0, targetCount, rows, targets, count);
      this.#rows = this.#rows.subarray(rows.length);
      count += rows.length;
    }
    return count;
  }

  close(): void {
    this.#window = this.#order.windowCount;
    this.#rows = new Int32Array();
  }

  /** Places among all rows of the dataset; none behind the last window. */
  #rowsOf(window: number): Int32Array {
    if (window >= this.#order.windowCount) return new Int32Array();
    const lying = new Int32Array(this.#order.rowsIn(window));
    let length = 0;
    for (const { firstRow, rowCount } of this.#order.blocksOf(window)) {
      lying.set(this.#storage.rows.subarray(firstRow, firstRow + rowCount), length);
      length += rowCount;
    }
    return this.#order.placesIn(window).map((place) => lying[place]!);
  }
}
