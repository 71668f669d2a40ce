import { durationBoundsMs, Histogram } from "../../../lib/metrics/histogram.ts";
import type { Outcome } from "../balance/replica.ts";
import type { ModelRoute } from "../route-facts.ts";
import type { Route } from "../routed-model.ts";
import { codeCount, codeUnknown } from "./call-figures.ts";

/** Why a replica was asked. */
export type AttemptKind = "first" | "retry" | "hedge";

/** What has become of the calls to one version. */
export interface VersionFigures {
  /** Empty for all versions together that have no figures of their own. */
  readonly model: string;
  readonly version: string;
  /** By gRPC status. */
  readonly codes: Float64Array;
  /** From arrival to end, of answered inferences with one message. */
  readonly answerMs: Histogram;
  readonly attempts: Record<Outcome, number>;
  retries: number;
  hedges: number;
}

/**
 * Counts what has become of calls by version. Of the versions of the table, so many have figures of their own, those that were called
 * first; all others share one set of them, so that nobody has to read a hundred thousand lines.
 */
export class ModelFigures {
  /** By model, then by version. */
  readonly #own = new Map<string, Map<number, VersionFigures>>();
  readonly #shared = figuresOf("", "");
  #ownCount = 0;

  /** A call has ended; `ms` is how long it took, where that counts. */
  ended(route: Route, code: number, ms: number | undefined): void {
    const figures = this.#of(route);
    figures.codes[code < codeCount ? code : codeUnknown]!++;
    if (ms !== undefined) figures.answerMs.add(ms);
  }

  /** An attempt of a call has ended. */
  attempted(route: Route, kind: AttemptKind, outcome: Outcome): void {
    const figures = this.#of(route);
    figures.attempts[outcome]++;
    if (kind === "retry") figures.retries++;
    else if (kind === "hedge") figures.hedges++;
  }

  /** Forgets what is not in the table any longer. */
  retain(models: ReadonlyMap<string, ModelRoute>): void {
    for (const [model, versions] of this.#own) {
      const known = models.get(model)?.versions;
      for (const version of versions.keys()) {
        if (!known?.has(version) && versions.delete(version)) this.#ownCount--;
      }
      if (versions.size === 0) this.#own.delete(model);
    }
  }

  *all(): Generator<VersionFigures> {
    for (const versions of this.#own.values()) yield* versions.values();
    yield this.#shared;
  }

  #of({ model, version }: Route): VersionFigures {
    let versions = this.#own.get(model);
    const known = versions?.get(version);
    if (known !== undefined) return known;
    if (this.#ownCount >= ownMax) return this.#shared;
    if (versions === undefined) {
      versions = new Map();
      this.#own.set(model, versions);
    }
    const figures = figuresOf(model, String(version));
    versions.set(version, figures);
    this.#ownCount++;
    return figures;
  }
}

const ownMax = 1000;

function figuresOf(model: string, version: string): VersionFigures {
  return {
    model,
    version,
    codes: new Float64Array(codeCount),
    answerMs: new Histogram(durationBoundsMs),
    attempts: { answered: 0, failed: 0, refused: 0, cut: 0 },
    retries: 0,
    hedges: 0,
  };
}
