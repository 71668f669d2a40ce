import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../lib/clock.ts";
import { type Reason, ServiceError } from "../../../lib/errors.ts";
import { artifactName } from "../../../lib/resource-names.ts";
import { arrivalOf } from "./arrival.ts";
import { makeFolder } from "./local-bytes.ts";
import { RunningUpload } from "./running-upload.ts";
import { type Announced, Spool } from "./spool.ts";
import { type PartsConfig, UploadParts } from "./upload-parts.ts";

/** What uploads may take. */
export interface UploadsConfig {
  /** How many may run at the same time. */
  readonly countMax: number;
  /** How long one may wait for its first message and for its next bytes, in milliseconds. */
  readonly idleMsMax: number;
  readonly parts: PartsConfig;
}

/** What is to be received: all of the announced bytes, or those from an offset on, and from whom. */
export interface Incoming {
  readonly announced: Announced;
  readonly offset: number;
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Ends the upload; what has arrived is kept. */
  readonly signal: AbortSignal;
}

/** What to do with a verified file before it goes. */
export type UseOfFile<Result> = (path: string, signal: AbortSignal) => Promise<Result>;

/**
 * Uploads that run. Each is written to a file of its own; where it breaks off, the file stays as the part of its digest, if it
 * is the longest, and another upload may go on behind it.
 */
export class Uploads {
  readonly #folder: string;
  readonly #config: UploadsConfig;
  readonly #clock: Clock;
  readonly #parts: UploadParts;
  readonly #running = new Set<RunningUpload>();

  constructor(folder: string, config: UploadsConfig, clock: Clock) {
    this.#folder = folder;
    this.#config = config;
    this.#clock = clock;
    this.#parts = new UploadParts(folder, config.parts, clock);
  }

  async start(): Promise<void> {
    await makeFolder(this.#folder);
    await this.#parts.start();
  }

  /** To be called when no uploads run any more. */
  stop(): void {
    this.#parts.stop();
  }

  /** The first message of a stream; an upload that has not said what it is counts as none yet. DEADLINE_EXCEEDED. */
  opening<Message>(source: AsyncIterator<Message>, signal: AbortSignal): Promise<IteratorResult<Message>> {
    const { idleMsMax: msMax } = this.#config;
    return arrivalOf(source, { signal, msMax, clock: this.#clock, late: () => unannounced(msMax) });
  }

  /** How many bytes of a digest have arrived and are not stored yet: where another upload, or this one, may go on. */
  committedBytes(sha256: string, upload?: RunningUpload): number {
    const others = this.#runningOf(sha256).filter((running) => running !== upload);
    return Math.max(this.#parts.bytesOf(sha256), ...others.map(({ bytes }) => bytes));
  }

  /**
   * Ends the upload that has come exactly so far, so that another one may go on in its place: its stream may hang without
   * anybody having noticed. Settles when it has ended.
   */
  async takeOver(sha256: string, offset: number): Promise<void> {
    const upload = this.#runningOf(sha256).find(({ bytes }) => bytes === offset);
    if (upload === undefined) return;
    const message = `another upload of ${artifactName(sha256)} goes on from byte ${offset}`;
    upload.end(new ServiceError("UPLOAD_SUPERSEDED", message, { metadata: { committed_bytes: String(offset) } }));
    await upload.ended;
  }

  /**
   * Receives an artifact and lets `use` have the file, verified; answers what `use` answers. What is refused leaves nothing
   * behind, what breaks off (also in `use`) leaves its part. QUEUE_FULL, UPLOAD_OFFSET, UPLOAD_SUPERSEDED, UPLOAD_INCOMPLETE,
   * DEADLINE_EXCEEDED, REQUEST_INVALID, ARTIFACT_DIGEST_MISMATCH, DISK_FULL.
   */
  async receive<Result>(incoming: Incoming, use: UseOfFile<Result>): Promise<Result> {
    const { countMax, idleMsMax } = this.#config;
    if (this.#running.size >= countMax) {
      throw new ServiceError("QUEUE_FULL", `${countMax} uploads run, the limit`, { retryDelayMs: 1000 });
    }
    const { announced, offset, signal } = incoming;
    const upload = new RunningUpload(announced.sha256, signal, idleMsMax, this.#clock);
    this.#running.add(upload);
    try {
      const spool = offset === 0 ? await this.#newSpool(announced) : await this.#resumed(announced, offset, upload);
      upload.spool = spool;
      return await this.#receiveInto(spool, incoming, upload, use);
    } catch (failure) {
      throw isFullDisk(failure) ? diskFull(announced, failure) : failure;
    } finally {
      this.#running.delete(upload);
      upload.settle();
    }
  }

  async #newSpool({ sha256, sizeBytes }: Announced): Promise<Spool> {
    if (!(await this.#parts.makeRoom(sizeBytes))) throw diskFull({ sha256, sizeBytes });
    return Spool.create(join(this.#folder, `${sha256}.${randomUUID()}`));
  }

  async #resumed(announced: Announced, offset: number, upload: RunningUpload): Promise<Spool> {
    const { sha256, sizeBytes } = announced;
    if (this.#parts.bytesOf(sha256) !== offset) throw wrongOffset(sha256, offset, this.committedBytes(sha256));
    upload.partBytes = offset;
    const part = await this.#parts.take(sha256);
    if (part === undefined) throw wrongOffset(sha256, offset, 0);
    try {
      if (!(await this.#parts.makeRoom(sizeBytes - offset))) throw diskFull(announced);
      return await Spool.reopen(part.path, offset, upload.signal);
    } catch (failure) {
      await this.#parts.keep(sha256, part);
      throw failure;
    }
  }

  async #receiveInto<Result>(
    spool: Spool,
    { announced, offset, chunks }: Incoming,
    upload: RunningUpload,
    use: UseOfFile<Result>,
  ): Promise<Result> {
    const { path } = spool;
    try {
      let arrived = offset;
      for await (const chunk of upload.arriving(chunks)) {
        arrived += chunk.byteLength;
        if (arrived > announced.sizeBytes) throw tooMany(announced.sizeBytes);
        await spool.append(chunk);
      }
      await spool.prove(announced);
      await spool.close();
      const result = await use(path, upload.signal);
      await rm(path, { force: true });
      await this.#parts.drop(announced.sha256);
      return result;
    } catch (failure) {
      await spool.close();
      if (isRefusal(failure)) await rm(path, { force: true });
      else await this.#parts.keep(announced.sha256, { path, bytes: spool.bytes, timeMs: this.#clock.now() });
      throw failure;
    }
  }

  #runningOf(sha256: string): RunningUpload[] {
    return [...this.#running].filter((upload) => upload.sha256 === sha256);
  }
}

/** Whether an upload has failed in a way that what has arrived is worth nothing, or stands in everybody's way. */
function isRefusal(failure: unknown): boolean {
  return isFullDisk(failure) || (failure instanceof ServiceError && refusals.has(failure.reason));
}

const refusals: ReadonlySet<Reason> = new Set(["REQUEST_INVALID", "ARTIFACT_DIGEST_MISMATCH", "DISK_FULL"]);

/** No space, or none left of the user's share. */
function isFullDisk(failure: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes((failure as NodeJS.ErrnoException).code ?? "");
}

function unannounced(idleMsMax: number): ServiceError {
  return new ServiceError("DEADLINE_EXCEEDED", `the first message, a header, did not come for ${idleMsMax} ms`);
}

function tooMany(sizeBytes: number): ServiceError {
  return new ServiceError("REQUEST_INVALID", `header.size_bytes announced ${sizeBytes} bytes, more arrived`, {
    metadata: { field: "header.size_bytes" },
  });
}

function diskFull({ sizeBytes }: Announced, cause?: unknown): ServiceError {
  const message = `the registry's disk has no room for ${sizeBytes} bytes; nothing was stored`;
  return new ServiceError("DISK_FULL", message, { retryDelayMs: 60_000, cause });
}

function wrongOffset(sha256: string, seen: number, needed: number): ServiceError {
  const message = `header.offset is ${seen}; needed: ${needed}, the committed bytes of ${artifactName(sha256)}`;
  return new ServiceError("UPLOAD_OFFSET", message, { metadata: { committed_bytes: String(needed) } });
}
