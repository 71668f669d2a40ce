import { setImmediate } from "node:timers/promises";

/** Runs a long computation to its end; wherever it yields, the event loop has a turn. Throws the signal's reason once it aborts. */
export async function inTurns<Result>(steps: Generator<void, Result>, signal?: AbortSignal): Promise<Result> {
  for (;;) {
    signal?.throwIfAborted();
    const step = steps.next();
    if (step.done) return step.value;
    await setImmediate();
  }
}
