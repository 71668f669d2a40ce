import type { Clock } from "../../../lib/clock.ts";
import { type Reason, ServiceError } from "../../../lib/errors.ts";
import type { ArtifactStore } from "../store/artifacts.ts";
import type { ArtifactRow } from "../store/schema.ts";
import type { Actor } from "../store/transaction.ts";
import type { ArtifactBytes } from "./artifact-bytes.ts";
import { Pace } from "./pace.ts";

/** What a scrub is to do. */
export interface Scrub {
  readonly actor: Actor;
  /** Only artifacts that were not read since this time, in milliseconds since 1970. */
  readonly sinceMs: number;
  readonly bytesPerSecondMax: number;
  readonly signal: AbortSignal;
}

/** What a scrub has read. */
export interface ScrubCount {
  readonly artifacts: number;
  readonly sizeBytes: number;
  readonly corrupt: number;
}

/** What a scrub tells: how far it is, about once a second; each artifact that is corrupt; what it has come to, last. */
export type ScrubEvent =
  | { readonly kind: "progress"; readonly count: ScrubCount }
  | { readonly kind: "corrupt"; readonly row: ArtifactRow }
  | { readonly kind: "summary"; readonly count: ScrubCount };

/** Reads artifacts again, to find those whose bytes are gone or wrong while somebody may still have them. */
export class Scrubber {
  readonly #artifacts: ArtifactStore;
  readonly #bytes: ArtifactBytes;
  readonly #clock: Clock;
  #isRunning = false;

  constructor(artifacts: ArtifactStore, bytes: ArtifactBytes, clock: Clock) {
    this.#artifacts = artifacts;
    this.#bytes = bytes;
    this.#clock = clock;
  }

  /** One at a time, since they share what they may read in a second: QUEUE_FULL. SERVICE_UNAVAILABLE ends it. */
  async *scrub(scrub: Scrub): AsyncGenerator<ScrubEvent> {
    if (this.#isRunning) throw new ServiceError("QUEUE_FULL", "another scrub runs", { retryDelayMs: 60_000 });
    this.#isRunning = true;
    try {
      yield* this.#run(scrub);
    } finally {
      this.#isRunning = false;
    }
  }

  async *#run(scrub: Scrub): AsyncGenerator<ScrubEvent> {
    const progress: Progress = {
      count: { artifacts: 0, sizeBytes: 0, corrupt: 0 },
      pace: new Pace(scrub.bytesPerSecondMax, this.#clock),
      toldMs: this.#clock.now(),
    };
    for (let after = ""; ; ) {
      const rows = await this.#artifacts.unread(scrub.sinceMs, after, pageRows);
      if (rows.length === 0) break;
      for (const row of rows) yield* this.#reread(row, scrub, progress);
      after = rows.at(-1)!.sha256;
    }
    yield { kind: "summary", count: progress.count };
  }

  async *#reread(row: ArtifactRow, { actor, signal }: Scrub, progress: Progress): AsyncGenerator<ScrubEvent> {
    const { count, pace } = progress;
    try {
      for await (const chunk of this.#bytes.read(row, 0, signal)) {
        count.sizeBytes += chunk.length;
        await pace.spend(chunk.length, signal);
        if (this.#clock.now() - progress.toldMs < progressMs) continue;
        progress.toldMs = this.#clock.now();
        yield { kind: "progress", count: { ...count } };
      }
      await this.#artifacts.intact(actor, row);
    } catch (failure) {
      const reason = failure instanceof ServiceError ? failure.reason : "INTERNAL";
      if (left.has(reason)) return;
      if (reason !== "ARTIFACT_CORRUPT") throw failure;
      count.corrupt++;
      yield { kind: "corrupt", row: { ...row, state: "CORRUPT" } };
    }
    count.artifacts++;
  }
}

interface Progress {
  readonly count: { artifacts: number; sizeBytes: number; corrupt: number };
  readonly pace: Pace;
  /** When it was last told, in milliseconds since 1970. */
  toldMs: number;
}

/** What is said of an artifact that went or was stored anew while it was read. */
const left: ReadonlySet<Reason> = new Set(["ARTIFACT_NOT_FOUND", "ARTIFACT_COLLECTING"]);

const pageRows = 100;
const progressMs = 1000;
