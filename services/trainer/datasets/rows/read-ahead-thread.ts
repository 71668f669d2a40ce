import { closeSync, openSync, readSync } from "node:fs";
import { workerData } from "node:worker_threads";
import { messageOf } from "../../../../lib/errors.ts";
import { type ReadAhead, slot, state } from "./read-ahead.ts";
import { RowOrder } from "./row-order.ts";

// The entry of the thread that reads rows ahead: one epoch, then it ends.
const ahead = workerData as ReadAhead;
const { control } = ahead;
try {
  readAll(ahead);
} catch (failure) {
  new TextEncoder().encodeInto(messageOf(failure), ahead.failure.subarray(0, -1));
  Atomics.store(control, slot.state, state.failed);
  Atomics.add(control, slot.filled, 1);
  Atomics.notify(control, slot.filled);
}

function readAll({ path, rowCount, rowBytes, shuffle, firstWindow, windows }: ReadAhead): void {
  const order = new RowOrder(rowCount, rowBytes, shuffle);
  const file = openSync(path, "r");
  try {
    for (let index = 0; firstWindow + index < order.windowCount; index++) {
      if (!isFree(index, windows.length)) return;
      const into = new Uint8Array(windows[index % windows.length]!);
      let length = 0;
      for (const block of order.blocksOf(firstWindow + index)) {
        const bytes = block.rowCount * rowBytes;
        readBlock(file, into.subarray(length, length + bytes), block.firstRow * rowBytes);
        length += bytes;
      }
      Atomics.store(control, slot.filled, index + 1);
      Atomics.notify(control, slot.filled);
    }
  } finally {
    closeSync(file);
  }
}

/** Waits for memory that a window can be read into; false once nobody reads any more. */
function isFree(index: number, count: number): boolean {
  for (;;) {
    const freed = Atomics.load(control, slot.freed);
    if (Atomics.load(control, slot.state) === state.closed) return false;
    if (index - freed < count) return true;
    Atomics.wait(control, slot.freed, freed);
  }
}

function readBlock(file: number, into: Uint8Array, position: number): void {
  for (let done = 0; done < into.length; ) {
    const count = readSync(file, into, done, into.length - done, position + done);
    if (count === 0) throw new Error(`the file ends at byte ${position + done}, before its last row`);
    done += count;
  }
}
