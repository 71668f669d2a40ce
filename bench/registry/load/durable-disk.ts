import { createHash } from "node:crypto";
import { closeSync, fdatasyncSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { contentBlocks } from "./content.ts";

/**
 * Seconds that this process needs to write bytes into a file, to hash them, and to have them on disk. The file stays: pages that
 * a removed one gives back would make the next one fast.
 */
export function writeAndHash(path: string, sizeBytes: number): number {
  const begin = performance.now();
  const file = openSync(path, "wx");
  const hash = createHash("sha256");
  for (const block of contentBlocks({ stamp: 0, sizeBytes })) {
    writeSync(file, block);
    hash.update(block);
  }
  hash.digest("hex");
  fsyncSync(file);
  closeSync(file);
  return (performance.now() - begin) / 1000;
}

/** How many records per second this process appends to a file, with each on disk before the next. */
export function appendRate(path: string, recordBytes: number, durationMs: number): number {
  const record = Buffer.alloc(recordBytes, 7);
  const file = openSync(path, "a");
  const begin = performance.now();
  let count = 0;
  for (; performance.now() - begin < durationMs; count++) {
    writeSync(file, record);
    fdatasyncSync(file);
  }
  const rate = count / ((performance.now() - begin) / 1000);
  closeSync(file);
  rmSync(path);
  return rate;
}
