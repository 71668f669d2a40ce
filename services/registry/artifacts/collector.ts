import type { Clock } from "../../../lib/clock.ts";
import { storeMsMax } from "../store/artifacts.ts";
import type { GarbageStore } from "../store/garbage.ts";
import type { ArtifactRow } from "../store/schema.ts";
import type { Actor } from "../store/transaction.ts";
import type { ByteStore, StoredBytes } from "./byte-store.ts";

/** What a collection is to do. */
export interface Collection {
  readonly actor: Actor;
  /** How long ago an artifact was last uploaded at least, in milliseconds. */
  readonly graceMs: number;
  /** Only tells. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/** What a collection has come to. */
export interface CollectionSummary {
  readonly artifacts: number;
  readonly sizeBytes: number;
  readonly orphans: number;
}

/** What a collection tells; the summary comes last. */
export type CollectionEvent =
  | { readonly kind: "artifact"; readonly row: ArtifactRow }
  | { readonly kind: "summary"; readonly summary: CollectionSummary };

/**
 * Removes the artifacts that nothing refers to, and bytes that belong to no artifact. An artifact is marked in the catalogue
 * first, so that nobody refers to it from then on; then its bytes go, then its row. What a collector leaves that dies in the
 * midst of it, the next one finishes. Several may work at the same time.
 */
export class Collector {
  readonly #store: ByteStore;
  readonly #garbage: GarbageStore;
  readonly #clock: Clock;

  constructor(store: ByteStore, garbage: GarbageStore, clock: Clock) {
    this.#store = store;
    this.#garbage = garbage;
    this.#clock = clock;
  }

  /** Tells of each artifact when it is gone. SERVICE_UNAVAILABLE; what is left is for the next run. */
  async *collect(collection: Collection): AsyncGenerator<CollectionEvent> {
    let [artifacts, sizeBytes] = [0, 0];
    for (const pages of [this.finish(collection), this.#remove(collection)]) {
      for await (const page of pages) {
        for (const row of page) {
          artifacts++;
          sizeBytes += row.size_bytes;
          yield { kind: "artifact", row };
        }
      }
    }
    yield { kind: "summary", summary: { artifacts, sizeBytes, orphans: await this.#removeOrphans(collection) } };
  }

  /** Removes those that are marked already; answers them in pages. */
  async *finish({ actor, dryRun, signal }: Omit<Collection, "graceMs">): AsyncGenerator<readonly ArtifactRow[]> {
    for (let after = ""; ; ) {
      signal.throwIfAborted();
      const marked = await this.#garbage.marked(after, pageRows);
      if (marked.length === 0) return;
      yield dryRun ? marked : await this.#removeMarked(actor, marked);
      after = marked.at(-1)!.sha256;
    }
  }

  async *#remove({ actor, graceMs, dryRun, signal }: Collection): AsyncGenerator<readonly ArtifactRow[]> {
    const sinceMs = this.#clock.now() - graceMs;
    for (let after = ""; ; ) {
      signal.throwIfAborted();
      const unneeded = await this.#garbage.unneeded(sinceMs, after, pageRows);
      if (unneeded.length === 0) return;
      after = unneeded.at(-1)!.sha256;
      if (dryRun) {
        yield unneeded;
        continue;
      }
      const sha256s = unneeded.map(({ sha256 }) => sha256);
      yield await this.#removeMarked(actor, await this.#garbage.mark(actor, sinceMs, sha256s));
    }
  }

  async #removeMarked(actor: Actor, marked: readonly ArtifactRow[]): Promise<readonly ArtifactRow[]> {
    if (marked.length === 0) return [];
    for (const { location } of marked) await this.#store.remove(location);
    return this.#garbage.removed(actor, marked);
  }

  async #removeOrphans({ actor, graceMs, dryRun, signal }: Collection): Promise<number> {
    const beforeMs = this.#clock.now() - Math.max(graceMs, orphanAgeMsMin);
    let count = dryRun ? 0 : await this.#store.removeUnfinished(beforeMs);
    for await (const page of this.#store.list()) {
      signal.throwIfAborted();
      for (const { location } of await this.#orphansOf(actor, page, beforeMs)) {
        if (!dryRun) await this.#store.remove(location);
        count++;
      }
    }
    return count;
  }

  async #orphansOf(actor: Actor, page: readonly StoredBytes[], beforeMs: number): Promise<readonly StoredBytes[]> {
    const old = page.filter(({ timeMs }) => timeMs < beforeMs);
    return this.#garbage.orphans(actor, old);
  }
}

/** How many artifacts are marked and removed at once. */
const pageRows = 100;

/** By how much the clocks of registries and of the byte store differ at most; a request to S3 allows no more either. */
const clockDifferenceMsMax = 15 * 60_000;

/** Bytes that are younger may be about to get a row. */
const orphanAgeMsMin = storeMsMax + clockDifferenceMsMax;
