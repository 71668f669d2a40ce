import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, ServiceError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { QueueConfig } from "./config.ts";
import { retryDelayMs } from "./queue/retry-delay.ts";

/**
 * Makes a call again, with growing waits, for as long as it fails with UNAVAILABLE and attempts are left. Throws its last
 * fault, or the signal's reason.
 */
export async function whileUnavailable<Value>(
  call: () => Promise<Value>,
  bounds: QueueConfig,
  signal: AbortSignal,
  log: Log,
): Promise<Value> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (failure) {
      signal.throwIfAborted();
      const isAway = failure instanceof ServiceError && failure.status === "UNAVAILABLE";
      if (!isAway || attempt >= bounds.attemptsMax) throw failure;
      log.warn({ attempt, error: messageOf(failure) }, "the registry is away; trying again");
    }
    await sleep(retryDelayMs(bounds, attempt), undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
