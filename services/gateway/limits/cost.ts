import type { RateLimits } from "../route-facts.ts";

/** What a request takes of limits. */
export interface Cost {
  readonly requests: number;
  readonly rows: number;
  readonly bytes: number;
}

/** What is limited per second. */
export type Unit = keyof Cost;

/** The limit of each. */
export const rateOf = {
  requests: "requestsPerSecond",
  rows: "rowsPerSecond",
  bytes: "bytesPerSecond",
} as const satisfies Record<Unit, keyof RateLimits>;

export const units = Object.keys(rateOf) as readonly Unit[];

/** What may come at once after a pause: what a second allows, and one at least. */
export function burstOf(ratePerSecond: number): number {
  return Math.max(1, ratePerSecond);
}

/** The share of a burst that may be missing: who waits for as long as was said gets it, though numbers have no more than 53 bits. */
export const rounding = 1e-9;
