import { closeSync, copyFileSync, openSync, readSync, renameSync, statSync, truncateSync } from "node:fs";

/** A log file that a process appends to on its own, so that its last words arrive whoever died first. */
export class LogFile {
  readonly path: string;
  readonly #bytesMax: number;
  #runStart = 0;

  /** Beyond `bytesMax` the file is put aside as `PATH.1`, which replaces the one before. */
  constructor(path: string, bytesMax: number) {
    this.path = path;
    this.#bytesMax = bytesMax;
  }

  /** A descriptor to append with, for a new process; the caller closes it. A file that can't be put aside goes on. */
  open(): number {
    if (this.#bytes() > this.#bytesMax) attempt(() => renameSync(this.path, `${this.path}.1`));
    this.#runStart = this.#bytes();
    return openSync(this.path, "a", 0o600);
  }

  /**
   * Bounds the file under a process that goes on writing. Lines of that instant may be lost, and all of them where the disk
   * has no room for a copy: the room is needed. Never throws.
   */
  trim(): void {
    attempt(() => {
      if (this.#bytes() <= this.#bytesMax) return;
      attempt(() => copyFileSync(this.path, `${this.path}.1`));
      truncateSync(this.path);
      this.#runStart = 0;
    });
  }

  /** The last line since `open` that is a message to people: neither JSON nor part of a stack trace. Never throws. */
  lastWords(): string | null {
    const lines = (attempt(() => this.#tail()) ?? "").split("\n");
    return lines.findLast((line) => /^[^\s{}^]/.test(line) && !/^(Node\.js v|node:|file:|at )/.test(line)) ?? null;
  }

  #tail(): string {
    const tailBytes = 8192;
    const descriptor = openSync(this.path, "r");
    try {
      const buffer = Buffer.alloc(tailBytes);
      const count = readSync(descriptor, buffer, 0, tailBytes, Math.max(this.#runStart, this.#bytes() - tailBytes));
      return buffer.toString("utf8", 0, count);
    } finally {
      closeSync(descriptor);
    }
  }

  #bytes(): number {
    return statSync(this.path, { throwIfNoEntry: false })?.size ?? 0;
  }
}

/** A log that can't be kept, because the disk is full or somebody removed it, is no reason to end what it tells about. */
function attempt<Result>(step: () => Result): Result | undefined {
  try {
    return step();
  } catch {
    return undefined;
  }
}
