import type { RateLimits } from "../route-facts.ts";
import { Bucket } from "./bucket.ts";
import { burstOf, type Cost, rateOf, type Unit, units } from "./cost.ts";
import { concurrentExcess, type Excess } from "./excess.ts";
import type { Share, SharedAccount } from "./share.ts";

/** What one principal, or all together, have taken of the limits of one model. */
export class Account implements SharedAccount {
  /** The same at every gateway. */
  readonly name: string;
  /** Those that hold now. */
  limits: RateLimits;
  /** What is held of one that all gateways share; undefined where this gateway has not asked for anything. */
  share: Share | undefined;
  readonly #buckets: Partial<Record<Unit, Bucket>> = {};
  #running = 0;

  constructor(name: string, limits: RateLimits) {
    this.name = name;
    this.limits = limits;
  }

  /** Requests that have been counted in and not released. */
  get running(): number {
    return this.#running;
  }

  /**
   * What stands against a request; undefined where nothing does. Of several, what lasts longest. `begins` says whether it is one of
   * its own, or part of what runs already: a message of a stream.
   */
  excessOf(cost: Cost, begins: boolean, nowMs: number): Excess | undefined {
    let worst = begins ? this.#tooManyRunning() : undefined;
    for (const unit of units) {
      const rate = this.limits[rateOf[unit]];
      if (rate === 0) continue;
      const delayMs = this.#bucketOf(unit).delayMs(cost[unit], rate, nowMs);
      if (delayMs > (worst?.delayMs ?? 0)) worst = { unit, seen: cost[unit], rate, burst: burstOf(rate), delayMs };
    }
    return worst;
  }

  /** Counts it in; one that begins runs until `release`. */
  take(cost: Cost, begins: boolean, nowMs: number): void {
    for (const unit of units) {
      const rate = this.limits[rateOf[unit]];
      if (rate > 0) this.#bucketOf(unit).take(cost[unit], rate, nowMs);
    }
    if (begins) this.#running++;
  }

  /** Takes back what was counted in for a request that was refused after all. */
  giveBack(cost: Cost, begins: boolean): void {
    for (const unit of units) this.#buckets[unit]?.giveBack(cost[unit]);
    if (begins) this.#running--;
  }

  release(): void {
    this.#running--;
  }

  /** Whether nothing would change if it were forgotten. */
  isIdle(nowMs: number): boolean {
    return (
      this.#running === 0 && this.share?.isIdle !== false && units.every((unit) => !this.#bucketHolds(unit, nowMs))
    );
  }

  #tooManyRunning(): Excess | undefined {
    const most = this.limits.concurrentRequests;
    if (most === 0 || this.#running < most) return undefined;
    return concurrentExcess(this.#running, most);
  }

  #bucketOf(unit: Unit): Bucket {
    this.#buckets[unit] ??= new Bucket();
    return this.#buckets[unit];
  }

  #bucketHolds(unit: Unit, nowMs: number): boolean {
    const rate = this.limits[rateOf[unit]];
    return rate > 0 && (this.#buckets[unit]?.level(rate, nowMs) ?? 0) > 0;
  }
}
