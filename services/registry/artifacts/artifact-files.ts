import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ServiceError } from "../../../lib/errors.ts";
import { artifactName } from "../../../lib/resource-names.ts";

/** What an upload must turn out to be. */
export interface Announced {
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Bytes by their SHA-256, as files of a folder. A file under its name is complete, always. */
export class ArtifactFiles {
  readonly #folder: string;
  readonly #incoming: string;

  constructor(folder: string) {
    this.#folder = join(folder, "artifacts");
    this.#incoming = join(folder, "incoming");
  }

  /** Removes what uploads left behind that a dead process did not finish. */
  async start(): Promise<void> {
    await rm(this.#incoming, { recursive: true, force: true });
    await mkdir(this.#incoming, { recursive: true });
    await mkdir(this.#folder, { recursive: true });
    await syncFolder(dirname(this.#folder));
  }

  /**
   * Stores bytes as they come, without holding them. Settles once they are on disk under their name. Throws
   * ARTIFACT_DIGEST_MISMATCH or REQUEST_INVALID where they are not what was announced, DISK_FULL; nothing is left then.
   */
  async write(announced: Announced, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const temporary = join(this.#incoming, randomUUID());
    try {
      await writeFile(temporary, announced, chunks);
      const folder = this.#folderOf(announced.sha256);
      await mkdir(folder, { recursive: true });
      await rename(temporary, this.#pathOf(announced.sha256));
      await syncFolder(folder);
      await syncFolder(this.#folder);
    } catch (failure) {
      await rm(temporary, { force: true });
      throw fullDisk.has((failure as NodeJS.ErrnoException).code ?? "") ? diskFull(announced, failure) : failure;
    }
  }

  /** Whether there is a file of the right name and size. */
  async has({ sha256, sizeBytes }: Announced): Promise<boolean> {
    const found = await stat(this.#pathOf(sha256)).catch(() => undefined);
    return found?.size === sizeBytes;
  }

  /** The bytes from an offset to the end, in chunks that the reader may keep. */
  async *read(sha256: string, offset: number): AsyncGenerator<Buffer> {
    const file = await open(this.#pathOf(sha256)).catch((cause) => {
      throw unreadable(sha256, cause);
    });
    try {
      for (let position = offset; ; ) {
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, position);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
        position += bytesRead;
      }
    } finally {
      await file.close();
    }
  }

  /**
   * All bytes at once. Throws ARTIFACT_CORRUPT where they are not those of the digest, and sets the file aside then, so that
   * another upload is taken.
   */
  async readWhole(sha256: string): Promise<Buffer> {
    const bytes = await readFile(this.#pathOf(sha256)).catch((cause) => {
      throw unreadable(sha256, cause);
    });
    const seen = createHash("sha256").update(bytes).digest("hex");
    if (seen === sha256) return bytes;
    await rename(this.#pathOf(sha256), `${this.#pathOf(sha256)}.corrupt`);
    throw new ServiceError(
      "ARTIFACT_CORRUPT",
      `the bytes of ${artifactName(sha256)} have the SHA-256 ${seen}; upload it again`,
    );
  }

  #folderOf(sha256: string): string {
    return join(this.#folder, sha256.slice(0, 2));
  }

  #pathOf(sha256: string): string {
    return join(this.#folderOf(sha256), sha256);
  }
}

/** What a download sends at once. */
const chunkBytes = 256 * 1024;

async function writeFile(path: string, announced: Announced, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const hash = createHash("sha256");
  const file = await open(path, "wx");
  try {
    let sizeBytes = 0;
    for await (const chunk of chunks) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > announced.sizeBytes) throw wrongSize("more", announced.sizeBytes);
      hash.update(chunk);
      await writeAll(file, chunk);
    }
    if (sizeBytes < announced.sizeBytes) throw wrongSize(`only ${sizeBytes}`, announced.sizeBytes);
    const seen = hash.digest("hex");
    if (seen !== announced.sha256) throw wrongDigest(seen, announced.sha256);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let begin = 0; begin < chunk.byteLength; ) begin += (await file.write(chunk, begin)).bytesWritten;
}

/** A new name in a folder is on disk only once the folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function wrongSize(seen: string, needed: number): ServiceError {
  return new ServiceError("REQUEST_INVALID", `header.size_bytes announced ${needed} bytes, ${seen} arrived`, {
    metadata: { field: "header.size_bytes" },
  });
}

function wrongDigest(seen: string, announced: string): ServiceError {
  const message = `header.sha256 announced ${announced}, the bytes that arrived have ${seen}; nothing was stored`;
  return new ServiceError("ARTIFACT_DIGEST_MISMATCH", message, { metadata: { announced, seen } });
}

/** Only bytes that are gone are worth another upload; too many open files or a denied access are our own trouble. */
function unreadable(sha256: string, cause: unknown): unknown {
  if ((cause as NodeJS.ErrnoException).code !== "ENOENT") return cause;
  return new ServiceError("ARTIFACT_CORRUPT", `the bytes of ${artifactName(sha256)} cannot be read; upload it again`, {
    cause,
  });
}

/** No space, or none left of the user's share. */
const fullDisk = new Set(["ENOSPC", "EDQUOT"]);

function diskFull({ sizeBytes }: Announced, cause: unknown): ServiceError {
  return new ServiceError("DISK_FULL", `the registry's disk has no room for ${sizeBytes} bytes; nothing was stored`, {
    retryDelayMs: 60_000,
    cause,
  });
}
