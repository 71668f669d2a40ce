import type { BalanceSettings, SlowStart } from "./balance-settings.ts";

/** What is known of a connection to a node. */
export interface NodeStatus {
  readonly isReachable: boolean;
  /** Calls that have begun and not ended. */
  readonly outstanding: number;
  /** When it was connected again after a loss, on the monotonic clock; -Infinity where it never was. */
  readonly reconnectedMs: number;
}

/**
 * How a call on a replica ended: `failed` is the replica's fault, `refused` says that it has too much to do, `cut` that nobody
 * waited for the end.
 */
export type Outcome = "answered" | "failed" | "refused" | "cut";

type State =
  | { readonly kind: "active" }
  | { readonly kind: "ejected"; readonly untilMs: number }
  /** It was ejected, and has got a call to show whether it is well; others wait until then. */
  | { readonly kind: "tried"; readonly untilMs: number };

/** One for all: hardly any is in another state. */
const active: State = { kind: "active" };

/** Where a replica is. */
export interface ReplicaPlace {
  readonly address: string;
  /** The cores of its node. */
  readonly weight: number;
  /** Whether that stands in the gateway's own zone. */
  readonly isNear: boolean;
}

/** One version on one node, as the gateway has come to know it. */
export class Replica {
  readonly #settings: BalanceSettings;
  #place: ReplicaPlace;
  #state: State = active;
  /** Since when its share grows, on the monotonic clock. */
  #sinceMs: number;
  /** Calls in a row that have failed. */
  #failures = 0;
  /** Those that have failed or were refused. */
  #setbacks = 0;
  #ejections = 0;
  #latencyMs = 0;
  #latencyCount = 0;

  constructor(place: ReplicaPlace, settings: BalanceSettings, sinceMs: number) {
    this.#place = place;
    this.#settings = settings;
    this.#sinceMs = sinceMs;
  }

  get place(): ReplicaPlace {
    return this.#place;
  }

  /** Its node says something new of itself. */
  moveTo(place: ReplicaPlace): this {
    this.#place = place;
    return this;
  }

  get isEjected(): boolean {
    return this.#state.kind !== "active";
  }

  /** Whether it is ejected and no call tries it. */
  get isShut(): boolean {
    return this.#state.kind === "ejected";
  }

  /** Failed calls in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** When it may be tried, or tried again, on the monotonic clock; -Infinity while it is not ejected. */
  get ejectedUntilMs(): number {
    return this.#state.kind === "active" ? -Infinity : this.#state.untilMs;
  }

  /** The mean latency of late, in milliseconds; undefined while too little is known. */
  get latencyMs(): number | undefined {
    return this.#latencyCount < latencyCountMin ? undefined : this.#latencyMs;
  }

  /**
   * Which part of its weight counts now, from 0 to 1: less while it is new, and half as much after every setback in a row, so that
   * one that fails fast, and therefore never has much to do, does not draw the calls to itself.
   */
  share(status: NodeStatus | undefined, nowMs: number): number {
    if (status !== undefined && !status.isReachable) return 0;
    if (this.#state.kind !== "active") return nowMs >= this.#state.untilMs ? 1 : 0;
    const trust = this.#setbacks === 0 ? 1 : 0.5 ** Math.min(this.#setbacks, setbacksMax);
    const ageMs = nowMs - Math.max(this.#sinceMs, status?.reconnectedMs ?? -Infinity);
    return trust * grownShare(ageMs, this.#settings.slowStart);
  }

  /** Whether its share is whole as long as its node is well, from now until a call on it fails. */
  isCalm(nowMs: number): boolean {
    return !this.isEjected && this.#setbacks === 0 && nowMs - this.#sinceMs >= this.#settings.slowStart.windowMs;
  }

  /** It gets a call. */
  choose(nowMs: number): void {
    if (this.isEjected) this.#state = { kind: "tried", untilMs: nowMs + tryMs };
  }

  /** A call has ended; `ms` is how long its answer took to begin. */
  note(outcome: Outcome, ms: number, nowMs: number): void {
    if (outcome === "cut") return;
    if (outcome === "answered") {
      this.#latencyMs += (ms - this.#latencyMs) * Math.max(latencyStep, 1 / ++this.#latencyCount);
      if (this.#state.kind === "tried") this.readmit(nowMs);
    }
    this.#setbacks = outcome === "answered" ? 0 : this.#setbacks + 1;
    this.#failures = outcome === "failed" ? this.#failures + 1 : 0;
  }

  /** Gets no calls for a time that grows with every time, and shrinks the longer it was well in between. */
  eject(nowMs: number): void {
    const { baseMs } = this.#settings.ejection;
    const wellCount = this.isEjected ? 0 : Math.floor((nowMs - this.#sinceMs) / baseMs);
    this.#ejections = Math.min(Math.max(0, this.#ejections - wellCount) + 1, ejectionsMax);
    this.#state = { kind: "ejected", untilMs: nowMs + baseMs * this.#ejections };
  }

  /** Gets calls again, few at first. */
  readmit(nowMs: number): void {
    if (!this.isEjected) return;
    this.#state = active;
    this.#sinceMs = nowMs;
    this.#failures = 0;
    this.#setbacks = 0;
    this.#latencyCount = 0;
  }
}

/**
 * `max(shareMin, (age / window) ^ (1 / aggression))`, and 1 after the window: Envoy's slow start
 * (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/slow_start).
 */
function grownShare(ageMs: number, { windowMs, aggression }: SlowStart): number {
  if (ageMs >= windowMs) return 1;
  return Math.max(shareMin, (Math.max(0, ageMs) / windowMs) ** (1 / aggression));
}

const shareMin = 0.1;
/** Setbacks in a row that count. */
const setbacksMax = 5;
/** How long a call that tries an ejected replica keeps others from it, where it shows nothing. */
const tryMs = 1000;
/** How often the time of an ejection grows by its base. */
const ejectionsMax = 30;
/** What a call weighs in the mean, and how many are enough to judge by. */
const latencyStep = 0.05;
const latencyCountMin = 20;
