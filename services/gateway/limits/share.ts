import type { Clock } from "../../../lib/clock.ts";
import type { RateLimits } from "../route-facts.ts";
import { burstOf, type Cost, rateOf, rounding, type Unit, units } from "./cost.ts";
import { concurrentExcess, type Excess } from "./excess.ts";

/** What a gateway asks of what all gateways share. */
export interface ShareRequest {
  /** The name of the account. */
  readonly account: string;
  readonly limits: RateLimits;
  /** How much more it wants to hold of each; below 0 it gives back. */
  readonly wanted: Cost;
  /** Requests that run already: they have their slots whatever the limit. */
  readonly running: number;
  /** How many slots for running requests it wants to hold. */
  readonly slots: number;
}

/** What it got: nothing more is there where that is less than it wanted. */
export interface ShareGrant {
  readonly granted: Cost;
  readonly slots: number;
}

/** Asks; undefined where nobody answers. Never rejects. */
export type AskShare = (request: ShareRequest) => Promise<ShareGrant | undefined>;

/** What this gateway counts by itself of an account. */
export interface SharedAccount {
  /** The same at every gateway. */
  readonly name: string;
  readonly limits: RateLimits;
  readonly running: number;
  giveBack(cost: Cost, begins: boolean): void;
}

interface Waiting {
  readonly cost: Cost;
  /** Whether it is a request that begins, and needs a slot. */
  readonly begins: boolean;
  readonly decide: (excess: Excess | undefined) => void;
}

/**
 * What this gateway holds of an account that all gateways share, so that most requests need not ask. Of each rate it fetches ahead what
 * comes in 20 ms, never more; slots it holds as many as were lately used. What it does not use goes back.
 */
export class Share {
  readonly #account: SharedAccount;
  readonly #ask: AskShare;
  readonly #clock: Clock;
  readonly #stock: Record<Unit, number> = { requests: 0, rows: 0, bytes: 0 };
  #slots = 0;
  /** Requests that have run at the same time since the last look. */
  #peak = 0;
  readonly #waiting: Waiting[] = [];
  /** Requests that wait, or were asked for and have not heard yet. */
  #pending = 0;
  /** Of those that the account counts as running, how many wait for a slot. */
  #undecided = 0;
  #isAsking = false;
  /** The answer to what was asked last. */
  #asked: Promise<unknown> = Promise.resolve();
  #askedAtMs = 0;
  #isUsed = true;
  /** When the last look found nothing more. */
  readonly #emptyAtMs: Record<Unit | "concurrent", number> = {
    requests: never,
    rows: never,
    bytes: never,
    concurrent: never,
  };

  constructor(account: SharedAccount, ask: AskShare, clock: Clock) {
    this.#account = account;
    this.#ask = ask;
    this.#clock = clock;
  }

  /** Takes what a request costs that the account has counted; or answers what stands against it, and takes it off the account. */
  take(cost: Cost, begins: boolean): Excess | undefined | Promise<Excess | undefined> {
    this.#isUsed = true;
    const nowMs = this.#clock.monotonicMs();
    const lack = this.#lackOf(cost, begins, nowMs);
    // What is there, and what was asked for, is for those who have waited.
    if (lack === undefined && this.#pending === 0) {
      this.#pay(cost);
      if (!this.#isAsking && this.#isLow(cost)) void this.#refill(cost);
      return undefined;
    }
    if (lack !== undefined && nowMs - this.#emptyAtMs[lack.unit] < pauseMs) {
      this.#account.giveBack(cost, begins);
      return lack;
    }
    this.#pending++;
    if (begins) this.#undecided++;
    return new Promise((decide) => {
      this.#waiting.push({ cost, begins, decide });
      if (!this.#isAsking) void this.#refill(cost);
    });
  }

  /** Takes back what was taken for a request that was refused after all. */
  giveBack(cost: Cost): void {
    for (const unit of this.#limited()) this.#stock[unit] += cost[unit];
  }

  /** To be called every now and then: gives back what is not used, and says that the slots are still held. Answers whether any is. */
  look(): boolean {
    if (this.#isAsking) return true;
    const { running } = this.#account;
    const isQuiet = !this.#isUsed && running === 0;
    if (isQuiet && !this.#holdsAny()) return false;
    const slots = Math.max(this.#peak, running);
    this.#peak = running;
    this.#isUsed = false;
    if (isQuiet) void this.#settle(this.#allOfStock(), 0);
    else if (this.#slots > slots || (this.#slots > 0 && this.#clock.monotonicMs() - this.#askedAtMs > renewMs)) {
      void this.#settle(nothing, slots);
    }
    return true;
  }

  /** Gives back all that it holds: nothing runs any longer, and nothing comes. */
  async release(): Promise<void> {
    await this.#asked;
    if (this.#holdsAny()) await this.#exchange(this.#allOfStock(), 0);
  }

  /** Whether nothing would be lost if it were forgotten. */
  get isIdle(): boolean {
    return !this.#isAsking && !this.#holdsAny();
  }

  /** Asks for those that wait, and for those that come meanwhile; `typical` is what a request costs. */
  async #refill(typical: Cost): Promise<void> {
    do {
      const served = this.#waiting.splice(0);
      const wanted = { ...nothing };
      for (const unit of this.#limited()) {
        const needed = served.reduce((sum, { cost }) => sum + cost[unit], 0);
        wanted[unit] = needed + aheadOf(this.#rate(unit), typical[unit]) - this.#stock[unit];
      }
      const isAnswered = await this.#exchange(wanted, Math.max(this.#peak, this.#account.running));
      const nowMs = this.#clock.monotonicMs();
      for (const waiting of served) this.#decide(waiting, isAnswered, nowMs);
    } while (this.#waiting.length > 0);
  }

  #decide({ cost, begins, decide }: Waiting, isAnswered: boolean, nowMs: number): void {
    this.#pending--;
    if (begins) this.#undecided--;
    const lack = isAnswered ? this.#lackOf(cost, begins, nowMs) : undefined;
    if (lack !== undefined) this.#account.giveBack(cost, begins);
    else if (isAnswered) this.#pay(cost);
    decide(lack);
  }

  async #settle(wanted: Cost, slots: number): Promise<void> {
    await this.#exchange(wanted, slots);
    const [first] = this.#waiting;
    if (first !== undefined) await this.#refill(first.cost);
  }

  /** Answers whether anybody has answered. */
  async #exchange(wanted: Cost, slots: number): Promise<boolean> {
    this.#isAsking = true;
    const { name, limits, running } = this.#account;
    const most = limits.concurrentRequests;
    // What goes back is nobody's from now on.
    for (const unit of units) this.#stock[unit] += Math.min(0, wanted[unit]);
    this.#slots = Math.min(this.#slots, slots);
    const request = { account: name, limits, wanted, running: running - this.#undecided, slots };
    const asked = this.#ask(request);
    this.#asked = asked;
    const grant = await asked;
    this.#isAsking = false;
    const nowMs = this.#clock.monotonicMs();
    this.#askedAtMs = nowMs;
    if (grant === undefined) return false;
    for (const unit of this.#limited()) {
      this.#stock[unit] += Math.max(0, grant.granted[unit]);
      if (grant.granted[unit] < wanted[unit]) this.#emptyAtMs[unit] = nowMs;
    }
    this.#slots = grant.slots;
    if (most > 0 && grant.slots < slots) this.#emptyAtMs.concurrent = nowMs;
    return true;
  }

  /** What is missing for a request; of several what lasts longest. */
  #lackOf(cost: Cost, begins: boolean, nowMs: number): Excess | undefined {
    let worst = begins ? this.#slotLack() : undefined;
    for (const unit of this.#limited()) {
      const missing = cost[unit] - this.#stock[unit];
      const rate = this.#rate(unit);
      if (missing <= burstOf(rate) * rounding) continue;
      const sinceMs = nowMs - this.#emptyAtMs[unit];
      const delayMs = Math.max((missing / rate) * 1000 - sinceMs, pauseMs - sinceMs, 0);
      if (worst === undefined || delayMs > worst.delayMs) {
        worst = { unit, seen: cost[unit], rate, burst: burstOf(rate), delayMs };
      }
    }
    return worst;
  }

  #slotLack(): Excess | undefined {
    const most = this.#account.limits.concurrentRequests;
    const running = this.#account.running - this.#undecided;
    if (most === 0 || running <= this.#slots) return undefined;
    return concurrentExcess(most, most);
  }

  #pay(cost: Cost): void {
    for (const unit of this.#limited()) this.#stock[unit] -= cost[unit];
    this.#peak = Math.max(this.#peak, this.#account.running - this.#undecided);
  }

  /** Whether more should be fetched before somebody has to wait for it. */
  #isLow(cost: Cost): boolean {
    return this.#limited().some((unit) => this.#stock[unit] < aheadOf(this.#rate(unit), cost[unit]) / 2);
  }

  #holdsAny(): boolean {
    return this.#slots > 0 || units.some((unit) => this.#stock[unit] > 0);
  }

  #allOfStock(): Cost {
    const { requests, rows, bytes } = this.#stock;
    return { requests: -requests, rows: -rows, bytes: -bytes };
  }

  #limited(): readonly Unit[] {
    return units.filter((unit) => this.#rate(unit) > 0);
  }

  #rate(unit: Unit): number {
    return this.#account.limits[rateOf[unit]];
  }
}

/** What is held ahead of requests: where so much is no more than a request, each asks for itself. */
function aheadOf(ratePerSecond: number, cost: number): number {
  const ahead = (ratePerSecond * aheadMs) / 1000;
  return ahead >= 2 * cost ? ahead : 0;
}

const nothing: Cost = { requests: 0, rows: 0, bytes: 0 };
const never = -Infinity;
const aheadMs = 20;
/** Where nothing was left a moment ago nobody asks again. */
const pauseMs = 10;
/** How often others hear that slots are still held; leases are longer. */
const renewMs = 1000;
