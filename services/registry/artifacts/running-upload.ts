import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { artifactName } from "../../../lib/resource-names.ts";
import { arrivalOf } from "./arrival.ts";
import type { Spool } from "./spool.ts";

/** One upload while it runs: how far it is, and how to end it. */
export class RunningUpload {
  readonly sha256: string;
  /** What it is written to; undefined until that is open. */
  spool: Spool | undefined;
  /** The bytes of the part that it goes on behind, while that is opened. */
  partBytes = 0;
  /** Aborted when the caller has gone, and when another upload takes over. */
  readonly signal: AbortSignal;
  /** Settles when its file is nobody's or kept. */
  readonly ended: Promise<void>;
  readonly #idleMsMax: number;
  readonly #clock: Clock;
  readonly #ending = new AbortController();
  #settle!: () => void;

  constructor(sha256: string, caller: AbortSignal, idleMsMax: number, clock: Clock) {
    this.sha256 = sha256;
    this.signal = AbortSignal.any([caller, this.#ending.signal]);
    this.#idleMsMax = idleMsMax;
    this.#clock = clock;
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** How many bytes of the artifact are written. */
  get bytes(): number {
    return this.spool?.bytes ?? this.partBytes;
  }

  /** Makes it fail with a fault. */
  end(fault: ServiceError): void {
    this.#ending.abort(fault);
  }

  /** Says that it has ended. */
  settle(): void {
    this.#settle();
  }

  /** What the caller sends; throws as `arrivalOf` does. */
  async *arriving<Chunk>(chunks: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
    const source = chunks[Symbol.asyncIterator]();
    try {
      for (let next = await this.#nextOf(source); !next.done; next = await this.#nextOf(source)) yield next.value;
    } finally {
      // Not awaited: it waits for what comes next, which may never come.
      source.return?.().catch(() => undefined);
    }
  }

  #nextOf<Chunk>(source: AsyncIterator<Chunk>): Promise<IteratorResult<Chunk>> {
    return arrivalOf(source, {
      signal: this.signal,
      msMax: this.#idleMsMax,
      clock: this.#clock,
      late: () => this.#idle(),
    });
  }

  #idle(): ServiceError {
    const message = `nothing of ${artifactName(this.sha256)} came for ${this.#idleMsMax} ms; go on from byte ${this.bytes}`;
    return new ServiceError("DEADLINE_EXCEEDED", message, { metadata: { committed_bytes: String(this.bytes) } });
  }
}
