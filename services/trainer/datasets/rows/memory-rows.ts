import { epochOrder } from "../../graph/epoch-order.ts";
import type { MemoryStorage, RowElements, RowReader, RowSource } from "../row-source.ts";

/** Rows in memory; an epoch's order is a permutation of all of them. */
export class MemoryRows implements RowSource {
  readonly #storage: MemoryStorage;

  constructor(storage: MemoryStorage) {
    this.#storage = storage;
  }

  get rowCount(): number {
    return this.#storage.rows.length;
  }

  get featureCount(): number {
    return this.#storage.featureCount;
  }

  get targetCount(): number {
    return this.#storage.targetCount;
  }

  shuffled(seed: number, epoch: number, firstRow: number): RowReader {
    return new MemoryReader(this.#storage, epochOrder(this.#storage.rows, seed, epoch).subarray(firstRow));
  }

  inOrder(): RowReader {
    return new MemoryReader(this.#storage, this.#storage.rows);
  }
}

class MemoryReader implements RowReader {
  readonly waitedMs = 0;
  readonly #storage: MemoryStorage;
  /** What is still to be read. */
  #rows: Int32Array;

  constructor(storage: MemoryStorage, rows: Int32Array) {
    this.#storage = storage;
    this.#rows = rows;
  }

  read(features: RowElements, targets: RowElements): number {
    const { featureCount, targetCount } = this.#storage;
    const rows = this.#rows.subarray(0, Math.floor(features.length / featureCount));
    copyRows(this.#storage.features, featureCount, rows, features);
    copyRows(this.#storage.targets, targetCount, rows, targets);
    this.#rows = this.#rows.subarray(rows.length);
    return rows.length;
  }

  close(): void {
    this.#rows = new Int32Array();
  }
}

function copyRows(from: RowElements, width: number, rows: Int32Array, to: RowElements): void {
  for (let index = 0; index < rows.length; index++) {
    const [source, target] = [rows[index]! * width, index * width];
    if (width === 1) to[target] = from[source]!;
    else to.set(from.subarray(source, source + width), target);
  }
}
