import { link, mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  type ByteStore,
  BytesGone,
  chunkBytes,
  listedMax,
  type Room,
  type StoredBytes,
  sha256Of,
} from "./byte-store.ts";

/** Bytes as files of a folder. A file under its name is complete and on disk, always. */
export class LocalBytes implements ByteStore {
  readonly #folder: string;

  /** Files to be stored have to lie on the same file system. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async start(): Promise<void> {
    await makeFolder(this.#folder);
  }

  async put(path: string, location: string): Promise<void> {
    // Its age counts from here, however long ago its bytes were received.
    await utimes(path, new Date(), new Date());
    await syncPath(path);
    const target = this.#pathOf(location);
    await makeFolder(dirname(target));
    // Not every file system has links.
    await link(path, target).catch(() => rename(path, target));
    await syncPath(dirname(target));
  }

  async sizeOf(location: string): Promise<number | undefined> {
    const found = await stat(this.#pathOf(location)).catch(undefinedWhereGone);
    return found?.size;
  }

  async *read(location: string, offset: number, signal: AbortSignal, room: Room): AsyncGenerator<Buffer> {
    const file = await open(this.#pathOf(location)).catch(undefinedWhereGone);
    if (file === undefined) throw new BytesGone(location);
    try {
      for (let position = offset; ; ) {
        signal.throwIfAborted();
        const chunk = room();
        const { bytesRead } = await file.read(chunk, 0, chunkBytes, position).catch(throwWhereUnreadable);
        if (bytesRead === 0) return;
        yield chunk.subarray(0, bytesRead);
        position += bytesRead;
      }
    } finally {
      await file.close();
    }
  }

  async link(location: string, path: string): Promise<boolean> {
    try {
      await link(this.#pathOf(location), path);
      return true;
    } catch (failure) {
      if (codeOf(failure) === "ENOENT" && (await this.sizeOf(location)) === undefined) throw new BytesGone(location);
      if (unlinkable.has(codeOf(failure))) return false;
      throw failure;
    }
  }

  async *list(): AsyncGenerator<readonly StoredBytes[]> {
    for (const folder of (await readdir(this.#folder)).sort()) {
      const names = await readdir(join(this.#folder, folder)).catch(() => []);
      for (let begin = 0; begin < names.length; begin += listedMax) {
        const page = names.slice(begin, begin + listedMax).map((name) => this.#storedAt(`${folder}/${name}`));
        yield (await Promise.all(page)).filter((found) => found !== undefined);
      }
    }
  }

  async remove(location: string): Promise<void> {
    await rm(this.#pathOf(location), { force: true });
  }

  async removeUnfinished(): Promise<number> {
    return 0;
  }

  close(): void {}

  async #storedAt(location: string): Promise<StoredBytes | undefined> {
    const sha256 = sha256Of(location);
    const found = sha256 && (await stat(this.#pathOf(location)).catch(undefinedWhereGone));
    return found ? { location, sha256, timeMs: found.mtimeMs } : undefined;
  }

  #pathOf(location: string): string {
    return join(this.#folder, location);
  }
}

/** Another file system, one without links, or too many links of one file. */
const unlinkable = new Set(["EXDEV", "EPERM", "ENOTSUP", "EOPNOTSUPP", "EMLINK"]);

/** Makes a folder, and its parents where need be; all of them are on disk then. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  // A new name in a folder is on disk only once the folder is.
  for (let made = folder; first !== undefined; made = dirname(made)) {
    await syncPath(dirname(made));
    if (made === first) return;
  }
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Only what is gone counts as gone; too many open files or a denied access are our own trouble. */
function undefinedWhereGone(failure: unknown): undefined {
  if (codeOf(failure) !== "ENOENT") throw failure;
}

/** What the medium cannot give back is gone too. */
function throwWhereUnreadable(failure: unknown): never {
  throw codeOf(failure) === "EIO" ? new BytesGone("unreadable", { cause: failure }) : failure;
}

function codeOf(failure: unknown): string {
  return (failure as NodeJS.ErrnoException).code ?? "";
}
