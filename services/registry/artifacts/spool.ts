import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { ServiceError } from "../../../lib/errors.ts";

/** What an upload must turn out to be. */
export interface Announced {
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** A file that an upload is written to and hashed on the way. Nothing is known of it until `prove`. */
export class Spool {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #hash = createHash("sha256");
  #bytes = 0;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  static async create(path: string): Promise<Spool> {
    return new Spool(path, await open(path, "wx"));
  }

  /** Goes on behind the first `bytes` of a file; it reads them once. */
  static async reopen(path: string, bytes: number, signal: AbortSignal): Promise<Spool> {
    const spool = new Spool(path, await open(path, "r+"));
    try {
      await spool.#hashAgain(bytes, signal);
      return spool;
    } catch (failure) {
      await spool.close();
      throw failure;
    }
  }

  /** How many bytes are written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Settles once more bytes are welcome; those of the call before are written then, and its failure is thrown. */
  async append(chunk: Uint8Array): Promise<void> {
    // While the chunk before is written by another thread.
    this.#hash.update(chunk);
    await this.#writing;
    this.#writing = this.#write(chunk);
    // Thrown by whoever awaits it next.
    this.#writing.catch(() => undefined);
  }

  /**
   * Settles once all bytes are written. Throws where that failed, and UPLOAD_INCOMPLETE or ARTIFACT_DIGEST_MISMATCH where they
   * are not what was announced. To be called once.
   */
  async prove({ sha256, sizeBytes }: Announced): Promise<void> {
    await this.#writing;
    if (this.#bytes < sizeBytes) throw incomplete(this.#bytes, sizeBytes);
    const seen = this.#hash.digest("hex");
    if (seen === sha256) return;
    const message = `header.sha256 announced ${sha256}, the bytes that arrived have ${seen}; nothing was stored`;
    throw new ServiceError("ARTIFACT_DIGEST_MISMATCH", message, { metadata: { announced: sha256, seen } });
  }

  /** Waits for what is being written. Nothing happens the second time. */
  async close(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#file.close();
  }

  async #write(chunk: Uint8Array): Promise<void> {
    for (let begin = 0; begin < chunk.byteLength; ) {
      const { bytesWritten } = await this.#file.write(chunk, begin, chunk.byteLength - begin, this.#bytes);
      begin += bytesWritten;
      this.#bytes += bytesWritten;
    }
  }

  async #hashAgain(bytes: number, signal: AbortSignal): Promise<void> {
    await this.#file.truncate(bytes);
    const buffer = Buffer.allocUnsafeSlow(Math.min(bytes, rereadBytes));
    while (this.#bytes < bytes) {
      signal.throwIfAborted();
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#bytes);
      this.#hash.update(buffer.subarray(0, bytesRead));
      this.#bytes += bytesRead;
    }
  }
}

/** How much of a file is read at once. */
const rereadBytes = 1024 ** 2;

function incomplete(bytes: number, sizeBytes: number): ServiceError {
  const message = `header.size_bytes announced ${sizeBytes} bytes, only ${bytes} arrived; go on from there`;
  return new ServiceError("UPLOAD_INCOMPLETE", message, { metadata: { committed_bytes: String(bytes) } });
}
