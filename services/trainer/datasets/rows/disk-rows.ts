import { startThread } from "../../../../lib/start-thread.ts";
import type { DiskStorage, RowElements, RowReader, RowSource } from "../row-source.ts";
import { copyRows } from "./copy-rows.ts";
import { type ReadAhead, slot, state } from "./read-ahead.ts";
import { RowOrder, type RowShuffle } from "./row-order.ts";

/** Rows in a file, which a thread reads ahead, window by window, while those of the window before are taken. */
export class DiskRows implements RowSource {
  readonly rowCount: number;
  readonly rowsInMemory: number;
  readonly featureCount: number;
  readonly targetCount: number;
  readonly #storage: DiskStorage;

  constructor(storage: DiskStorage) {
    this.#storage = storage;
    this.rowCount = storage.rowCount;
    this.featureCount = storage.featureCount;
    this.targetCount = storage.targetCount;
    const { windowRows } = new RowOrder(storage.rowCount, rowBytesOf(storage));
    this.rowsInMemory = Math.min(storage.rowCount, windowsAhead * windowRows);
  }

  shuffled(seed: number, epoch: number, firstRow: number): RowReader {
    return new DiskReader(this.#storage, { seed, epoch }, firstRow);
  }

  inOrder(): RowReader {
    return new DiskReader(this.#storage, undefined, 0);
  }
}

/** The window that is read from, and the one that is filled. */
const windowsAhead = 2;

/** How long a window may take; a thread that is no more could not say so. */
const windowMsMax = 600_000;

class DiskReader implements RowReader {
  readonly #storage: DiskStorage;
  readonly #order: RowOrder;
  readonly #ahead: ReadAhead;
  readonly #windows: readonly Int32Array[];
  #waitedMs = 0;
  /** The next one to be taken. */
  #window: number;
  /** What is still to be read of the one before. */
  #places: Int32Array = new Int32Array();
  #before: number;

  constructor(storage: DiskStorage, shuffle: RowShuffle | undefined, firstRow: number) {
    const rowBytes = rowBytesOf(storage);
    this.#storage = storage;
    this.#order = new RowOrder(storage.rowCount, rowBytes, shuffle);
    const { window, before } = this.#order.windowWith(firstRow);
    [this.#window, this.#before] = [window, before];
    const ahead = Math.min(windowsAhead, this.#order.windowCount - window);
    const windows = Array.from({ length: ahead }, () => new SharedArrayBuffer(this.#order.windowRows * rowBytes));
    this.#windows = windows.map((memory) => new Int32Array(memory));
    const control = new Int32Array(new SharedArrayBuffer(slot.count * Int32Array.BYTES_PER_ELEMENT));
    const failure = new Uint8Array(new SharedArrayBuffer(1024));
    const { path, rowCount } = storage;
    this.#ahead = { path, rowCount, rowBytes, shuffle, firstWindow: window, windows, control, failure };
    if (ahead > 0) startThread(new URL("./read-ahead-thread", import.meta.url), { workerData: this.#ahead }).unref();
  }

  get waitedMs(): number {
    return this.#waitedMs;
  }

  read(features: RowElements, targets: RowElements): number {
    const { featureCount, targetCount } = this.#storage;
    const stride = featureCount + targetCount;
    // Bits are copied as they are, whatever numbers they stand for.
    const [featureBits, targetBits] = [bitsOf(features), bitsOf(targets)];
    const wanted = Math.floor(features.length / featureCount);
    let count = 0;
    while (count < wanted) {
      if (this.#places.length === 0 && !this.#next()) break;
      const places = this.#places.subarray(0, wanted - count);
      const from = this.#windows[(this.#window - 1 - this.#ahead.firstWindow) % windowsAhead]!;
      copyRows(from, stride, 0, featureCount, places, featureBits, count);
      copyRows(from, stride, featureCount, targetCount, places, targetBits, count);
      this.#places = this.#places.subarray(places.length);
      count += places.length;
    }
    return count;
  }

  close(): void {
    const { control } = this.#ahead;
    Atomics.store(control, slot.state, state.closed);
    Atomics.add(control, slot.freed, 1);
    Atomics.notify(control, slot.freed);
    this.#window = this.#order.windowCount;
    this.#places = new Int32Array();
  }

  /** Gives the window before back, and takes the next; false where there is none. */
  #next(): boolean {
    const { control, firstWindow } = this.#ahead;
    const taken = this.#window - firstWindow;
    if (taken > 0) {
      Atomics.store(control, slot.freed, taken);
      Atomics.notify(control, slot.freed);
    }
    if (this.#window === this.#order.windowCount) return false;
    const places = this.#order.placesIn(this.#window);
    this.#await(taken + 1);
    this.#places = places.subarray(this.#before);
    this.#before = 0;
    this.#window++;
    return true;
  }

  /** Waits until so many windows have been read. */
  #await(count: number): void {
    const { control, failure } = this.#ahead;
    const startedMs = performance.now();
    for (;;) {
      const filled = Atomics.load(control, slot.filled);
      if (Atomics.load(control, slot.state) === state.failed) {
        throw new Error(`the rows cannot be read: ${textOf(failure)}`);
      }
      if (filled >= count) break;
      if (Atomics.wait(control, slot.filled, filled, windowMsMax) === "timed-out") {
        throw new Error(`the rows have not been read within ${windowMsMax} ms`);
      }
    }
    this.#waitedMs += performance.now() - startedMs;
  }
}

function rowBytesOf({ featureCount, targetCount }: DiskStorage): number {
  return (featureCount + targetCount) * Int32Array.BYTES_PER_ELEMENT;
}

function bitsOf({ buffer, byteOffset, length }: RowElements): Int32Array {
  return new Int32Array(buffer, byteOffset, length);
}

/** Copied, because a decoder takes no shared memory. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
}
