import { closeSync, openSync, writeSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

/**
 * A file that says whether a thread is in the runtime's own code, and with which model: a fault there ends the whole process, and
 * only what is on disk is left to tell of whom. One byte is written before and after; the system keeps it, whatever becomes of the
 * process.
 */
export class RunMark {
  readonly #file: number;

  /** Creates the file, which says so from the start. Throws where it cannot. */
  constructor(path: string, sha256: string) {
    this.#file = openSync(path, "w");
    writeSync(this.#file, `${within}${sha256}`);
  }

  begin(): void {
    writeSync(this.#file, within, 0);
  }

  end(): void {
    writeSync(this.#file, outside, 0);
  }

  close(): void {
    this.end();
    closeSync(this.#file);
  }
}

/** Removes the marks of a process that is gone, and gives the SHA-256 of each model that its threads were running. */
export async function takeRunMarks(folder: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const [, sha256] = markPattern.exec(await readFile(path, "latin1")) ?? [];
    if (sha256 !== undefined) found.add(sha256);
    await rm(path);
  }
  return found;
}

const within = "1";
const outside = "0";
const markPattern = /^1([0-9a-f]{64})$/;
