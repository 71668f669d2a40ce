import { readdir, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../lib/clock.ts";

/** How much of broken uploads is kept. */
export interface PartsConfig {
  /** Of all of them together. */
  readonly bytesMax: number;
  /** Since it broke off, in milliseconds. */
  readonly ageMsMax: number;
}

/** The beginning of an artifact, as a file. */
export interface UploadPart {
  readonly path: string;
  readonly bytes: number;
  /** When its upload broke off, in milliseconds since 1970. */
  readonly timeMs: number;
}

/**
 * What is left of uploads that broke off: the longest part of each digest, so that an upload can go on behind it. Parts are
 * bounded in number, bytes and age; the oldest go first. They survive the process.
 */
export class UploadParts {
  readonly #folder: string;
  readonly #config: PartsConfig;
  readonly #clock: Clock;
  /** In the order of their times. */
  readonly #parts = new Map<string, UploadPart>();
  #cancelSweep: () => void = () => undefined;

  constructor(folder: string, config: PartsConfig, clock: Clock) {
    this.#folder = folder;
    this.#config = config;
    this.#clock = clock;
  }

  /** Finds the parts of the last process. */
  async start(): Promise<void> {
    const found: [sha256: string, part: UploadPart][] = [];
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      const { size, mtimeMs } = await stat(path);
      found.push([name.slice(0, sha256Digits), { path, bytes: size, timeMs: mtimeMs }]);
    }
    found.sort(([, a], [, b]) => a.timeMs - b.timeMs);
    for (const [sha256, part] of found) await this.keep(sha256, part);
  }

  stop(): void {
    this.#cancelSweep();
  }

  /** How many bytes of a digest are kept. */
  bytesOf(sha256: string): number {
    return this.#parts.get(sha256)?.bytes ?? 0;
  }

  /** Hands over the part of a digest at once, whose file is the caller's from here on; undefined where the file is gone. */
  async take(sha256: string): Promise<UploadPart | undefined> {
    const part = this.#parts.get(sha256);
    this.#parts.delete(sha256);
    // Whoever looks after the disk may have removed it.
    const found = part && (await stat(part.path).catch(() => undefined));
    return found && part;
  }

  /** Keeps a part, unless a longer one is there; removes the other one, and whatever is beyond the bounds. */
  async keep(sha256: string, part: UploadPart): Promise<void> {
    const isLonger = part.bytes > this.bytesOf(sha256);
    const other = isLonger ? this.#parts.get(sha256) : part;
    if (isLonger) {
      this.#parts.delete(sha256);
      this.#parts.set(sha256, part);
    }
    if (other !== undefined) await rm(other.path, { force: true });
    await this.#sweep();
  }

  /** Removes the part of a digest. */
  async drop(sha256: string): Promise<void> {
    const part = this.#parts.get(sha256);
    this.#parts.delete(sha256);
    if (part !== undefined) await rm(part.path, { force: true });
  }

  /** Removes parts, the oldest first, until the disk has room for so many bytes; false where that would not help. */
  async makeRoom(bytes: number): Promise<boolean> {
    for (;;) {
      const { bavail, bsize } = await statfs(this.#folder);
      const free = bavail * bsize;
      if (free >= bytes) return true;
      const [oldest] = this.#parts.keys();
      if (oldest === undefined || free + this.#bytes() < bytes) return false;
      await this.drop(oldest);
    }
  }

  #bytes(): number {
    return [...this.#parts.values()].reduce((sum, part) => sum + part.bytes, 0);
  }

  async #sweep(): Promise<void> {
    this.#cancelSweep();
    let bytes = this.#bytes();
    for (const [sha256, part] of this.#parts) {
      const leftMs = part.timeMs + this.#config.ageMsMax - this.#clock.now();
      if (leftMs > 0 && bytes <= this.#config.bytesMax && this.#parts.size <= partsMax) {
        this.#cancelSweep = this.#clock.after(leftMs, () => void this.#sweep().catch(() => undefined));
        return;
      }
      bytes -= part.bytes;
      await this.drop(sha256);
    }
  }
}

/** What the name of a part's file begins with. */
const sha256Digits = 64;

/** Most parts that are kept, however small. */
const partsMax = 1000;
