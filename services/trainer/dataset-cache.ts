import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, link, mkdir, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { Catalogue, OnBehalf } from "./catalogue.ts";

/** What the cache is made of. */
export interface DatasetCacheParts {
  readonly catalogue: Pick<Catalogue, "save">;
  /** On the disk that the files of jobs lie on. Several trainers may share it. */
  readonly folder: string;
  /** Of all files that are kept; 0 keeps none. */
  readonly bytesMax: number;
  readonly log: Log;
}

/**
 * Files of datasets on this machine's disk, by digest, so that one that many jobs learn from is fetched once. A job has its file by a link
 * of its own, which stays when the cache lets go of the file. Those that were used last are kept.
 */
export class DatasetCache {
  readonly #parts: DatasetCacheParts;
  /** Files whose digest this process has seen to be right, by inode. */
  readonly #checked = new Map<string, number>();

  constructor(parts: DatasetCacheParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    await mkdir(this.#parts.folder, { recursive: true });
  }

  /** Makes a new file with the bytes of an artifact, which cannot be written to; throws as `save` of the catalogue does. */
  async place(sha256: string, path: string, onBehalf: OnBehalf): Promise<void> {
    if (await this.#hasPlaced(sha256, path)) return;
    await this.#parts.catalogue.save(sha256, path, onBehalf);
    await chmod(path, 0o444);
    // Whether it can be kept is nothing to the job.
    await this.#keep(sha256, path).catch((failure) =>
      this.#parts.log.warn({ sha256, error: messageOf(failure) }, "a dataset could not be kept"),
    );
  }

  async #hasPlaced(sha256: string, path: string): Promise<boolean> {
    const kept = join(this.#parts.folder, sha256);
    try {
      await link(kept, path);
    } catch {
      return false;
    }
    if (!(await this.#isRight(sha256, path))) {
      this.#parts.log.warn({ sha256 }, "the kept file of a dataset is damaged; it is fetched again");
      await rm(path);
      await rm(kept, { force: true });
      return false;
    }
    const now = new Date();
    await utimes(path, now, now);
    return true;
  }

  /** The bytes are read once by each process. */
  async #isRight(sha256: string, path: string): Promise<boolean> {
    const { ino } = await stat(path);
    if (this.#checked.get(sha256) === ino) return true;
    const hash = createHash("sha256");
    await pipeline(createReadStream(path), hash);
    if (hash.digest("hex") !== sha256) return false;
    this.#checked.set(sha256, ino);
    return true;
  }

  async #keep(sha256: string, path: string): Promise<void> {
    const { ino, size } = await stat(path);
    if (size > this.#parts.bytesMax) return;
    await link(path, join(this.#parts.folder, sha256)).catch((failure) => {
      // Another job, or another trainer, was faster.
      if ((failure as NodeJS.ErrnoException).code !== "EEXIST") throw failure;
    });
    this.#checked.set(sha256, ino);
    await this.#shrink();
  }

  /** Lets go of the files that were used longest ago, until the others have room. */
  async #shrink(): Promise<void> {
    const { folder, bytesMax } = this.#parts;
    const names = (await readdir(folder)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const files = await Promise.all(
      names.map(async (name) => ({ name, facts: await stat(join(folder, name)).catch(() => undefined) })),
    );
    files.sort((left, right) => (right.facts?.mtimeMs ?? 0) - (left.facts?.mtimeMs ?? 0));
    let bytes = 0;
    for (const { name, facts } of files) {
      bytes += facts?.size ?? 0;
      if (bytes <= bytesMax) continue;
      this.#checked.delete(name);
      await rm(join(folder, name), { force: true });
    }
  }
}
