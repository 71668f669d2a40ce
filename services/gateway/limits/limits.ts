import type { Clock } from "../../../lib/clock.ts";
import type { ServiceError } from "../../../lib/errors.ts";
import type { Metrics, Reading } from "../../../lib/metrics/metrics.ts";
import { principalKey } from "../../../lib/rpc/call-context.ts";
import { claimedPrincipal } from "../../../lib/rpc/principal.ts";
import type { CallHeaders } from "../called-ref.ts";
import type { ModelRoute, RateLimits } from "../route-facts.ts";
import { Account } from "./account.ts";
import { AccountTable, totalName } from "./account-table.ts";
import type { Cost } from "./cost.ts";
import type { Excess } from "./excess.ts";
import { limitName, refusalOf, type Scope } from "./refusal.ts";
import { rowsOf } from "./request-rows.ts";
import type { SharedLimits } from "./shared-limits.ts";

/** An inference request, as far as limits look at it. */
export interface CountedRequest {
  /** Of the call. */
  readonly headers: CallHeaders;
  readonly message: Uint8Array;
  /** What the table says of its model. */
  readonly model: ModelRoute;
}

/** Bounds and parts of limits. */
export interface LimitsParts {
  /** Principals whose limits are counted apart, of all models together. */
  readonly principalsMax: number;
  /** What all gateways share; undefined where each counts for itself. */
  readonly shared: SharedLimits | undefined;
  readonly clock: Clock;
}

/** One of the accounts that a request is counted in. */
interface Counted {
  readonly account: Account;
  readonly scope: Scope;
}

/** What has become of a request that was to be counted in. */
export type Attempt =
  /** It runs until `release`, if it is one that begins. */
  | { readonly kind: "admitted"; readonly release: () => void }
  | { readonly kind: "refused"; readonly scope: Scope; readonly excess: Excess };

type Refusal = Extract<Attempt, { readonly kind: "refused" }>;

/** Holds callers to what the settings of a model say that each, and all together, may ask of it. */
export class Limits {
  readonly #parts: LimitsParts;
  readonly #principals: AccountTable;
  /** By model. */
  readonly #totals = new Map<string, Account>();
  /** By model, and then by limit. */
  readonly #refusals = new Map<string, Map<string, number>>();

  constructor(parts: LimitsParts) {
    this.#parts = parts;
    this.#principals = new AccountTable(parts.principalsMax);
  }

  get clock(): Clock {
    return this.#parts.clock;
  }

  /**
   * Counts a request in while `forward` is not settled. Rejects with LIMIT_EXCEEDED, REQUEST_TOO_LARGE where it can never be allowed, and
   * REQUEST_INVALID where the principal or the message cannot be read.
   */
  during<Result>(request: CountedRequest, forward: () => Promise<Result>): Promise<Result> {
    const { traffic } = request.model;
    const isLimited = traffic?.perPrincipal !== undefined || traffic?.total !== undefined;
    return isLimited ? this.#duringLimited(request, forward) : forward();
  }

  async #duringLimited<Result>(request: CountedRequest, forward: () => Promise<Result>): Promise<Result> {
    const attempt = await this.attempt(request, true);
    if (attempt.kind === "refused") throw this.refused(request, attempt);
    try {
      return await forward();
    } finally {
      attempt.release();
    }
  }

  /**
   * Counts a request in, if it is allowed; `begins` says whether it is one of its own, or a message of a stream that runs. Answers at once
   * unless other gateways have to be asked. Throws REQUEST_INVALID as above.
   */
  attempt(request: CountedRequest, begins: boolean): Attempt | Promise<Attempt> {
    const counted = this.#accountsOf(request);
    if (counted.length === 0) return withoutRun;
    const attemptOf = (refusal: Refusal | undefined): Attempt => refusal ?? (begins ? admitted(counted) : withoutRun);
    const refusal = this.#take(request, counted, begins);
    return refusal instanceof Promise ? refusal.then(attemptOf) : attemptOf(refusal);
  }

  /** The error for one that was refused. */
  refused({ model: { model } }: CountedRequest, { scope, excess }: Refusal): ServiceError {
    const limit = limitName(scope, excess);
    const counts = this.#refusals.get(model) ?? new Map<string, number>();
    this.#refusals.set(model, counts.set(limit, (counts.get(limit) ?? 0) + 1));
    return refusalOf(model, scope, excess);
  }

  /** Forgets models that are not among these. */
  retain(models: { has(model: string): boolean }): void {
    this.#principals.retain(models);
    for (const byModel of [this.#totals, this.#refusals]) {
      for (const model of byModel.keys()) if (!models.has(model)) byModel.delete(model);
    }
  }

  /** Adds its metrics. */
  describe(metrics: Metrics): void {
    metrics.counter(
      "amaas_gateway_limited_requests_total",
      "Requests, and messages of streams, that a limit of the model has refused.",
      () => this.#refusalReadings(),
    );
    metrics.gauge("amaas_gateway_limited_principals", "Accounts of principals that are kept.", () => [
      { labels: {}, value: this.#principals.size },
    ]);
    metrics.counter(
      "amaas_gateway_limited_newcomers_total",
      "Requests of principals that had no account of their own, since all were in use.",
      () => [{ labels: {}, value: this.#principals.newcomerCount }],
    );
    this.#parts.shared?.describe(metrics);
  }

  /** Empty where the model has no limits. */
  #accountsOf({ headers, model: { model, traffic } }: CountedRequest): readonly Counted[] {
    const counted: Counted[] = [];
    if (traffic?.perPrincipal !== undefined) {
      const principal = claimedPrincipal(headers[principalKey]);
      const account = this.#principals.of(model, principal, traffic.perPrincipal, this.#parts.clock.monotonicMs());
      counted.push({ account, scope: { kind: "principal", principal } });
    }
    if (traffic?.total !== undefined) counted.push({ account: this.#totalOf(model, traffic.total), scope: total });
    return counted;
  }

  #totalOf(model: string, limits: RateLimits): Account {
    let account = this.#totals.get(model);
    if (account === undefined) {
      account = new Account(totalName(model), limits);
      this.#totals.set(model, account);
    }
    account.limits = limits;
    return account;
  }

  /** Counts a request in everywhere, or nowhere: here first, which is enough to refuse it. */
  #take(
    { message }: CountedRequest,
    counted: readonly Counted[],
    begins: boolean,
  ): Refusal | undefined | Promise<Refusal | undefined> {
    const needsRows = counted.some(({ account }) => account.limits.rowsPerSecond > 0);
    const cost: Cost = { requests: 1, rows: needsRows ? rowsOf(message) : 1, bytes: message.byteLength };
    const nowMs = this.#parts.clock.monotonicMs();
    const refusal = worstOf(counted, (account) => account.excessOf(cost, begins, nowMs));
    if (refusal !== undefined) return refusal;
    for (const { account } of counted) account.take(cost, begins, nowMs);
    const { shared } = this.#parts;
    return shared?.isReachable ? takeShared(shared, counted, cost, begins) : undefined;
  }

  *#refusalReadings(): Generator<Reading<number>> {
    for (const [model, counts] of this.#refusals) {
      for (const [limit, value] of counts) yield { labels: { model, limit }, value };
    }
  }
}

/** The same of what all gateways share; takes back what was counted in where one of them refuses. */
function takeShared(
  shared: SharedLimits,
  counted: readonly Counted[],
  cost: Cost,
  begins: boolean,
): undefined | Promise<Refusal | undefined> {
  const outcomes = counted.map(({ account }) => shared.shareOf(account).take(cost, begins));
  if (outcomes.every((outcome) => outcome === undefined)) return undefined;
  return Promise.all(outcomes).then((excesses) => {
    const refusal = worstOf(counted, (_, index) => excesses[index]);
    if (refusal === undefined) return undefined;
    // Who refused it has it back already.
    for (const [index, { account }] of counted.entries()) {
      if (excesses[index] !== undefined) continue;
      account.giveBack(cost, begins);
      account.share?.giveBack(cost);
    }
    return refusal;
  });
}

/** Of several the one that lasts longest. */
function worstOf(
  counted: readonly Counted[],
  excessOf: (account: Account, index: number) => Excess | undefined,
): Refusal | undefined {
  let worst: Refusal | undefined;
  for (const [index, { account, scope }] of counted.entries()) {
    const excess = excessOf(account, index);
    if (excess !== undefined && excess.delayMs > (worst?.excess.delayMs ?? -1))
      worst = { kind: "refused", scope, excess };
  }
  return worst;
}

function admitted(counted: readonly Counted[]): Attempt {
  return {
    kind: "admitted",
    release: () => {
      for (const { account } of counted) account.release();
    },
  };
}

/** Nothing of it runs by itself. */
const withoutRun: Attempt = { kind: "admitted", release: () => undefined };
const total: Scope = { kind: "total" };
