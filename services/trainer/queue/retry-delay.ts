import type { QueueConfig } from "../config.ts";

/** The longest wait between two attempts, in milliseconds. */
const retryDelayMsMax = 60_000;

/** The wait before the next attempt, in milliseconds: doubled after each one, up to a minute. `attemptsMade` is at least 1. */
export function retryDelayMs(config: Pick<QueueConfig, "retryDelayMs">, attemptsMade: number): number {
  return Math.min(config.retryDelayMs * 2 ** (attemptsMade - 1), retryDelayMsMax);
}
