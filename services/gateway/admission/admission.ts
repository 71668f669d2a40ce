import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import type { Outcome } from "../balance/replica.ts";
import type { ModelRoute } from "../route-facts.ts";
import type { Route } from "../routed-model.ts";
import { GradientLimit, type GradientSettings } from "./gradient-limit.ts";

/** The limit of one version, and how much of it is used. */
export interface VersionLimit {
  readonly model: string;
  readonly version: number;
  readonly limit: number;
  readonly underWay: number;
}

/**
 * Lets in as many inferences as the replicas of a version can have under way without making each other wait for long, so that under any
 * load those that are let in are answered in time, and the others are refused at once. One limit per version: that of a slow model
 * says nothing of a quick one, and a new version may be slower than the one before it.
 */
export class Admission {
  readonly #settings: GradientSettings;
  readonly #clock: Clock;
  /** By model, then by version. */
  readonly #limits = new Map<string, Map<number, GradientLimit>>();

  constructor(settings: GradientSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /**
   * Counts a call in, until the answer is called, which tells how the call went; further calls of it change nothing. It is called when
   * the answer begins: how fast a caller reads is nobody's load. Throws QUEUE_FULL at the limit.
   */
  admit(route: Route): (how: Outcome) => void {
    const limit = this.#limitOf(route);
    if (!limit.enter(leastPerReplica * route.replicas.length)) throw refusal(route, limit);
    const beganMs = this.#clock.monotonicMs();
    let isIn = true;
    return (how) => {
      if (isIn) limit.leave(how, this.#clock.monotonicMs() - beganMs);
      isIn = false;
    };
  }

  /** Forgets what is not in the table any longer. */
  retain(models: ReadonlyMap<string, ModelRoute>): void {
    for (const [model, limits] of this.#limits) {
      const versions = models.get(model)?.versions;
      for (const [version, { underWay }] of limits)
        if (!versions?.has(version) && underWay === 0) limits.delete(version);
      if (limits.size === 0) this.#limits.delete(model);
    }
  }

  /** Those of versions that were called. */
  *limits(): Generator<VersionLimit> {
    for (const [model, limits] of this.#limits) {
      for (const [version, { limit, underWay }] of limits) yield { model, version, limit, underWay };
    }
  }

  #limitOf({ model, version }: Route): GradientLimit {
    let limits = this.#limits.get(model);
    if (limits === undefined) {
      limits = new Map();
      this.#limits.set(model, limits);
    }
    let limit = limits.get(version);
    if (limit === undefined) {
      limit = new GradientLimit(this.#settings, this.#clock);
      limits.set(version, limit);
    }
    return limit;
  }
}

/** As many calls are let in however low the limit is, but while the latency without load is measured: a replica that does one after the other may have a few that wait. */
const leastPerReplica = 8;

function refusal({ model, version }: Route, { limit, underWay, latencyMs }: GradientLimit): ServiceError {
  return new ServiceError(
    "QUEUE_FULL",
    `version ${version} of model '${model}' has ${underWay} calls under way through this gateway; more would wait too long for each ` +
      "other; retry later",
    {
      metadata: { limit: "concurrency", model, version: String(version), concurrencyMax: String(limit) },
      retryDelayMs: Math.min(Math.max(50, Math.ceil(latencyMs)), 5000),
    },
  );
}
