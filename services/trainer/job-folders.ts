import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import { diskFault } from "./disk-fault.ts";

/** Ids of processes mean something only there; a container is a host of its own. */
const host = `${hostname().replaceAll("~", "_")}~`;
/** Tells this process from others that had its id, as each does that is the first of its container. */
const own = `${host}${process.pid}-${randomUUID().slice(0, 8)}`;

/**
 * Folders for the files of jobs at work, in a folder that trainers of several hosts may share; they go when the work is over. Those of
 * processes that have died go when a trainer of their host starts, or any one after days.
 */
export class JobFolders {
  readonly #root: string;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(root: string, clock: Clock, log: Log) {
    this.#root = root;
    this.#clock = clock;
    this.#log = log;
  }

  async start(): Promise<void> {
    await mkdir(this.#root, { recursive: true });
    for (const name of await readdir(this.#root)) {
      const folder = join(this.#root, name);
      if (isOfDead(name) || (await this.#isForgotten(folder))) await this.#remove(folder);
    }
  }

  /** Does work with an empty folder. Rejects with WORKER_LOST where the disk is full, and as `work` does. */
  async during<Result>(id: string, work: (folder: string) => Promise<Result>): Promise<Result> {
    const folder = await mkdtemp(join(this.#root, `${own}-${id}-`)).catch((failure) => {
      throw diskFault(failure);
    });
    const stop = this.#touch(folder);
    try {
      return await work(folder);
    } finally {
      stop();
      await this.#remove(folder);
    }
  }

  /** Shows others from time to time that somebody is at work, until the answer is called. */
  #touch(folder: string): () => void {
    let cancel = () => {};
    const touchLater = () => {
      cancel = this.#clock.after(touchMs, () => {
        touchLater();
        const now = new Date(this.#clock.now());
        utimes(folder, now, now).catch((failure) =>
          this.#log.warn({ folder, error: messageOf(failure) }, "the folder of a job could not be touched"),
        );
      });
    };
    touchLater();
    return () => cancel();
  }

  /** Whether nobody has touched a folder for days; false where it has gone meanwhile. */
  async #isForgotten(folder: string): Promise<boolean> {
    const facts = await stat(folder).catch(() => undefined);
    return facts !== undefined && this.#clock.now() - facts.mtimeMs > forgottenMs;
  }

  async #remove(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch((failure) =>
      this.#log.warn({ folder, error: messageOf(failure) }, "the files of a job could not be removed"),
    );
  }
}

/** Whether a folder is named after a process of this host that is gone. */
function isOfDead(name: string): boolean {
  if (!name.startsWith(host)) return false;
  const [processId, token] = name.slice(host.length).split("-");
  const id = Number(processId);
  if (!Number.isSafeInteger(id) || id <= 0) return false;
  if (id === process.pid) return `${host}${id}-${token}` !== own;
  try {
    process.kill(id, 0);
    return false;
  } catch (failure) {
    return (failure as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** How often the folders of jobs at work are touched, in milliseconds. */
const touchMs = 60 * 60 * 1000;
/** After how long without a touch nobody is at work in a folder, in milliseconds. */
const forgottenMs = 3 * 24 * touchMs;
