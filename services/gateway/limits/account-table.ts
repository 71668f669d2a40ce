import type { RateLimits } from "../route-facts.ts";
import { Account } from "./account.ts";

/**
 * The accounts of principals, so many at most. Names of principals cost nothing, so that anybody can make up any number of them: only
 * an account that is idle is ever forgotten, which changes nothing for its principal. Where none is found, newcomers share one account per
 * model, with the limits of a single principal.
 */
export class AccountTable {
  readonly #accountsMax: number;
  readonly #accounts = new Map<string, Account>();
  /** The same, in a circle. */
  readonly #circle: Account[] = [];
  /** Where in the circle the search for one that is idle goes on. */
  #hand = 0;
  /** By model. */
  readonly #newcomers = new Map<string, Account>();
  #newcomerCount = 0;

  /** `accountsMax` is at least 1. */
  constructor(accountsMax: number) {
    this.#accountsMax = accountsMax;
  }

  /** How many principals have an account of their own. */
  get size(): number {
    return this.#accounts.size;
  }

  /** How many requests were counted in an account that newcomers share. */
  get newcomerCount(): number {
    return this.#newcomerCount;
  }

  /** The account of a principal for a model, with the limits that hold now. */
  of(model: string, principal: string, limits: RateLimits, nowMs: number): Account {
    const name = `${modelTag(model)}:principal:${principal}`;
    const account = this.#accounts.get(name) ?? this.#added(name, limits, nowMs) ?? this.#newcomersOf(model, limits);
    account.limits = limits;
    return account;
  }

  /** Forgets the shared accounts of models that are not among these. */
  retain(models: { has(model: string): boolean }): void {
    for (const model of this.#newcomers.keys()) if (!models.has(model)) this.#newcomers.delete(model);
  }

  /** Undefined where there is no place for one more. */
  #added(name: string, limits: RateLimits, nowMs: number): Account | undefined {
    const place = this.#circle.length < this.#accountsMax ? this.#circle.length : this.#idlePlace(nowMs);
    if (place === undefined) return undefined;
    const forgotten = this.#circle[place];
    if (forgotten !== undefined) this.#accounts.delete(forgotten.name);
    const account = new Account(name, limits);
    this.#circle[place] = account;
    this.#accounts.set(name, account);
    return account;
  }

  /** Looks at a few, at others the next time. */
  #idlePlace(nowMs: number): number | undefined {
    for (let looks = 0; looks < looksMax; looks++) {
      const place = this.#hand;
      this.#hand = (this.#hand + 1) % this.#circle.length;
      if (this.#circle[place]!.isIdle(nowMs)) return place;
    }
    return undefined;
  }

  #newcomersOf(model: string, limits: RateLimits): Account {
    let account = this.#newcomers.get(model);
    if (account === undefined) {
      account = new Account(`${modelTag(model)}:newcomers`, limits);
      this.#newcomers.set(model, account);
    }
    this.#newcomerCount++;
    return account;
  }
}

/** The name of the account of all principals together. */
export function totalName(model: string): string {
  return `${modelTag(model)}:total`;
}

/** In braces, so that a Redis Cluster keeps what belongs to a model in one place. */
function modelTag(model: string): string {
  return `{${model}}`;
}

const looksMax = 4;
