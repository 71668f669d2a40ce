import type { Clock } from "../../../lib/clock.ts";
import type { Metrics } from "../../../lib/metrics/metrics.ts";
import type { Account } from "./account.ts";
import { type AskShare, Share } from "./share.ts";

/** Where gateways keep what they share. */
export interface ShareStore {
  /** False while it does not answer: each gateway counts for itself then. */
  readonly isReachable: boolean;
  readonly ask: AskShare;
  /** How often it has ceased to answer. */
  readonly lossCount: number;
}

/** The limits that all gateways hold together: each takes its share of them as it needs it. */
export class SharedLimits {
  readonly #store: ShareStore;
  readonly #clock: Clock;
  /** Those that hold something, or have of late. */
  readonly #active = new Set<Share>();
  /** Those of them that are still to be looked at in this round. */
  #round: Iterator<Share> | undefined;
  #isLooking = false;
  #cancelLook: (() => void) | undefined;

  constructor(store: ShareStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  get isReachable(): boolean {
    return this.#store.isReachable;
  }

  /** What is held of an account; it is to be taken from at once. */
  shareOf(account: Account): Share {
    account.share ??= new Share(account, this.#store.ask, this.#clock);
    this.#active.add(account.share);
    if (!this.#isLooking) this.#lookAfter(roundMs);
    return account.share;
  }

  /** Gives back all that is held, so that other gateways need not wait until a lease ends: no call runs or comes any longer. */
  async release(): Promise<void> {
    this.#cancelLook?.();
    await Promise.all(Array.from(this.#active, (share) => share.release()));
  }

  /** Adds its metrics. */
  describe(metrics: Metrics): void {
    metrics.gauge("amaas_gateway_limits_shared", "1 while limits are shared with other gateways, 0 while not.", () => [
      { labels: {}, value: this.isReachable ? 1 : 0 },
    ]);
    metrics.counter(
      "amaas_gateway_limits_store_losses_total",
      "How often the Redis of the limits has ceased to answer.",
      () => [{ labels: {}, value: this.#store.lossCount }],
    );
  }

  #lookAfter(ms: number): void {
    this.#isLooking = true;
    this.#cancelLook = this.#clock.after(ms, this.#look);
  }

  /** A few at a time: very many would keep requests waiting. */
  readonly #look = () => {
    this.#isLooking = false;
    this.#round ??= this.#active.values();
    for (let looks = 0; looks < looksMax; looks++) {
      const { value: share, done } = this.#round.next();
      if (done) {
        this.#round = undefined;
        if (this.#active.size > 0) this.#lookAfter(roundMs);
        return;
      }
      if (!share.look()) this.#active.delete(share);
    }
    this.#lookAfter(pauseMs);
  };
}

/** What is not used goes back after two rounds. */
const roundMs = 250;
const looksMax = 200;
const pauseMs = 5;
