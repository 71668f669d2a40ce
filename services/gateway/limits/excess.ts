import type { Unit } from "./cost.ts";

/** Why a request is not allowed now, and for how many milliseconds it will not be. */
export type Excess =
  /** There would be too many per second; the delay is Infinity where so many are never allowed. */
  | {
      readonly unit: Unit;
      readonly seen: number;
      readonly rate: number;
      readonly burst: number;
      readonly delayMs: number;
    }
  /** There are too many at the same time. */
  | { readonly unit: "concurrent"; readonly seen: number; readonly most: number; readonly delayMs: number };

/** The excess of so many requests at the same time. */
export function concurrentExcess(seen: number, most: number): Excess {
  return { unit: "concurrent", seen, most, delayMs: concurrentDelayMs };
}

/** Nobody knows when one of those that run will end. */
const concurrentDelayMs = 100;
