import type { Log } from "./log.ts";

/** How a service stops. */
export interface StopOptions {
  /** How long all steps may take together, in milliseconds; see `stopMsMaxOf`. */
  readonly msMax: number;
  readonly log: Log;
}

/** A step of a stop that has not ended in time. */
export class StepOverdue extends Error {}

/** What a service may take to stop, all in all: the time that accepted calls have, and a while to free what it holds. */
export function stopMsMaxOf(config: { readonly drainTimeoutMs: number }): number {
  return config.drainTimeoutMs + stopMarginMs;
}

/** How much longer than its drain a service may take to stop, in milliseconds. */
export const stopMarginMs = 4000;

/**
 * Runs the steps of a stop, each by the name of what it ends, in their order; a failed step never skips the ones after it. Once the
 * time is over, a step that has not ended is named in the log and left behind, and what is left is begun but not waited for.
 *
 * Throws an AggregateError of all that failed, with a `StepOverdue` for each step that was left behind.
 */
export async function runStopSteps(
  steps: Iterable<readonly [name: string, step: () => unknown]>,
  { msMax, log }: StopOptions,
): Promise<void> {
  const failures: unknown[] = [];
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, msMax);
  });
  for (const [name, step] of steps) {
    const ended = Promise.resolve()
      .then(step)
      .then(
        () => true,
        (failure: unknown) => failures.push(failure) > 0,
      );
    // What need not wait for anything ends within a turn of the event loop.
    const left = over.then(() => new Promise<false>((resolve) => setImmediate(resolve, false)));
    if (await Promise.race([ended, left])) continue;
    log.error({ step: name, stopMsMax: msMax }, "a step of the shutdown does not end; it is left behind");
    failures.push(new StepOverdue(`stopping ${name} did not end: the shutdown may take ${msMax} ms`));
  }
  clearTimeout(timer);
  if (failures.length > 0) throw new AggregateError(failures, "the shutdown left work behind");
}
