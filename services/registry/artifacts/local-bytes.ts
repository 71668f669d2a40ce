import { copyFile, link, mkdir, open, readdir, rename, rm, stat, utimes } from "node:fs/promises";
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
    // Another upload may have made it just now, and it is not on disk before its name is.
    await syncPath(this.#folder);
    await link(path, target).catch((failure) => {
      if (!unlinkable.has(codeOf(failure))) throw failure;
      return copy(path, target);
    });
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
    for await (const names of this.#names()) {
      const page = await Promise.all(names.map((name) => this.#storedAt(name)));
      yield page.filter((found) => found !== undefined);
    }
  }

  async remove(location: string): Promise<void> {
    await rm(this.#pathOf(location), { force: true });
  }

  async removeUnfinished(beforeMs: number): Promise<number> {
    let count = 0;
    for await (const names of this.#names()) {
      for (const name of names.filter((found) => found.endsWith(copySuffix))) {
        const found = await stat(this.#pathOf(name)).catch(undefinedWhereGone);
        if (found === undefined || found.mtimeMs >= beforeMs) continue;
        await this.remove(name);
        count++;
      }
    }
    return count;
  }

  close(): void {}

  /** The files of the folder's folders, in pages. */
  async *#names(): AsyncGenerator<readonly string[]> {
    for (const folder of (await readdir(this.#folder)).sort()) {
      const names = await readdir(join(this.#folder, folder)).catch(() => []);
      for (let begin = 0; begin < names.length; begin += listedMax) {
        yield names.slice(begin, begin + listedMax).map((name) => `${folder}/${name}`);
      }
    }
  }

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

/** Makes a complete file of the same bytes appear at once. */
async function copy(path: string, target: string): Promise<void> {
  const copied = target + copySuffix;
  try {
    await copyFile(path, copied);
    await syncPath(copied);
    await rename(copied, target);
  } catch (failure) {
    await rm(copied, { force: true });
    throw failure;
  }
}

/** Ends the names of copies that are not complete. */
const copySuffix = ".partial";

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
