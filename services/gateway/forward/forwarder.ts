import type { OutgoingHttpHeaders } from "node:http2";
import type { Clock } from "../../../lib/clock.ts";
import type { Call } from "../call/call.ts";
import type { Hedging } from "../route-facts.ts";
import type { Route } from "../routed-model.ts";
import { type Attempt, forwardToReplica, type ReplicaAnswer } from "./attempts.ts";
import type { Connections } from "./connections.ts";
import { Latencies } from "./latencies.ts";
import { RetryBudget } from "./retry-budget.ts";
import { routeHeaders, servedHeaders } from "./served.ts";

/** How calls are tried. */
export interface ForwarderConfig {
  /** Replicas that are asked at most for one call. */
  readonly attemptsMax: number;
  /** How many calls of a model may be sent once more, as a share of all, from 0 to 1. */
  readonly retryShare: number;
}

/** What forwarding needs. */
export interface ForwarderParts {
  readonly nodes: Connections;
  /** Hears how each attempt ended. */
  readonly onAttempt: (route: Route, attempt: Attempt) => void;
  readonly clock: Clock;
}

/** A call, and where it may go. */
export interface RoutedCall {
  readonly call: Call;
  /** With the bytes before it. */
  readonly message: Buffer;
  readonly route: Route;
  /** Not empty. */
  readonly replicas: readonly string[];
  /** Chooses one of them. */
  readonly choose: (addresses: readonly string[]) => string;
  /** Undefined where nobody else is asked before an answer is overdue. */
  readonly hedging?: Hedging | undefined;
  /** The caller is about to see the first of an answer. */
  readonly onBegin?: (() => void) | undefined;
}

interface ModelRecord {
  readonly budget: RetryBudget;
  readonly latencies: Latencies;
}

/** Forwards calls with one message each way, and remembers of each model what later calls need. */
export class Forwarder {
  readonly #config: ForwarderConfig;
  readonly #parts: ForwarderParts;
  readonly #models = new Map<string, ModelRecord>();

  constructor(config: ForwarderConfig, parts: ForwarderParts) {
    this.#config = config;
    this.#parts = parts;
  }

  /** Carries one to a replica and its answer to the caller, besides its end. Never rejects. */
  forward({ call, message, route, replicas, choose, hedging, onBegin }: RoutedCall): Promise<ReplicaAnswer> {
    const { nodes, onAttempt } = this.#parts;
    const { budget, latencies } = this.#recordOf(route.model);
    const own: OutgoingHttpHeaders = routeHeaders(route);
    return forwardToReplica(
      replicas,
      { call, message, own, servedBy: (node) => servedHeaders(route, node), choose, onBegin },
      {
        nodes,
        attemptsMax: this.#config.attemptsMax,
        budget,
        hedgeAfterMs: hedging && hedgeDelayMs(latencies, hedging),
        onAttempt: (attempt) => {
          if (attempt.isBegun) latencies.note(attempt.ms);
          onAttempt(route, attempt);
        },
      },
    );
  }

  /** One more call of a model that is carried elsewhere than here. */
  noteCall(model: string): void {
    this.#recordOf(model).budget.noteCall();
  }

  /** Whether such a call may be sent once more, after so many attempts; takes it from the budget of the model. */
  takeRetry(model: string, attempts: number): boolean {
    return attempts < this.#config.attemptsMax && this.#recordOf(model).budget.take();
  }

  /** Forgets models that are not among these. */
  retain(models: { has(model: string): boolean }): void {
    for (const model of this.#models.keys()) if (!models.has(model)) this.#models.delete(model);
  }

  #recordOf(model: string): ModelRecord {
    let record = this.#models.get(model);
    if (record === undefined) {
      const budget = new RetryBudget(this.#config.retryShare, this.#parts.clock);
      record = { budget, latencies: new Latencies() };
      this.#models.set(model, record);
    }
    return record;
  }
}

function hedgeDelayMs(latencies: Latencies, { quantile, delayMsMin }: Hedging): number | undefined {
  const ms = latencies.quantile(quantile);
  return ms === undefined ? undefined : Math.max(ms, delayMsMin);
}
