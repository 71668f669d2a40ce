import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Death } from "./deaths.ts";

/**
 * A file that says whether a thread is in the runtime's own code, and with which model: a fault there ends the whole process, and
 * only what is on disk is left to tell of whom. One byte is written before and after; the system keeps it, whatever becomes of the
 * process. A disk that is full or broken keeps no model from being run: then nothing is told.
 */
export class RunMark {
  #file: number | undefined;

  /** Creates the file, which says so from the start. */
  constructor(path: string, sha256: string) {
    tried(() => {
      this.#file = openSync(path, "w");
      writeSync(this.#file, `${within}${sha256}`);
    });
  }

  begin(): void {
    this.#write(within);
  }

  end(): void {
    this.#write(outside);
  }

  close(): void {
    this.end();
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) tried(() => closeSync(file));
  }

  #write(mark: string): void {
    const file = this.#file;
    if (file !== undefined) tried(() => writeSync(file, mark, 0));
  }
}

/** Removes a mark, if it is there and can be removed, of a thread that has ended. */
export function removeRunMark(path: string): void {
  tried(() => rmSync(path, { force: true }));
}

/**
 * The models that a process that is gone was running, and when each had last begun to, by the marks that it has left; the same for as
 * long as these are there.
 */
export async function readRunMarks(folder: string): Promise<readonly Death[]> {
  const found = new Map<string, number>();
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    try {
      const [, sha256] = markPattern.exec(await readFile(path, "latin1")) ?? [];
      if (sha256 === undefined) continue;
      found.set(sha256, Math.max(found.get(sha256) ?? 0, (await stat(path)).mtimeMs));
    } catch {
      // Others may tell more.
    }
  }
  return [...found].map(([sha256, atMs]) => ({ sha256, atMs }));
}

/** Removes these marks, as far as they can be. */
export async function removeRunMarks(folder: string): Promise<void> {
  for (const name of await readdir(folder)) removeRunMark(join(folder, name));
}

const within = "1";
const outside = "0";
const markPattern = /^1([0-9a-f]{64})$/;

function tried(work: () => void): void {
  try {
    work();
  } catch {
    // See above.
  }
}
