import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";

/** Tells this process from others that had its id, as each does that is the first of its container. */
const own = `${process.pid}-${randomUUID().slice(0, 8)}`;

/** Folders for the files of jobs at work; they go when the work is over, and those of processes that have died when one starts. */
export class JobFolders {
  readonly #root: string;
  readonly #log: Log;

  constructor(root: string, log: Log) {
    this.#root = root;
    this.#log = log;
  }

  async start(): Promise<void> {
    await mkdir(this.#root, { recursive: true });
    const left = (await readdir(this.#root)).filter(isLeft);
    for (const name of left) await this.#remove(join(this.#root, name));
  }

  /** Does work with an empty folder. */
  async during<Result>(id: string, work: (folder: string) => Promise<Result>): Promise<Result> {
    const folder = await mkdtemp(join(this.#root, `${own}-${id}-`));
    try {
      return await work(folder);
    } finally {
      await this.#remove(folder);
    }
  }

  async #remove(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch((failure) =>
      this.#log.warn({ folder, error: messageOf(failure) }, "the files of a job could not be removed"),
    );
  }
}

/** Whether the process is gone that a folder is named after. */
function isLeft(name: string): boolean {
  const [processId, token] = name.split("-");
  const id = Number(processId);
  if (!Number.isSafeInteger(id) || id <= 0) return false;
  if (id === process.pid) return `${id}-${token}` !== own;
  try {
    process.kill(id, 0);
    return false;
  } catch (failure) {
    return (failure as NodeJS.ErrnoException).code === "ESRCH";
  }
}
