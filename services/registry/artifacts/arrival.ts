import type { Clock } from "../../../lib/clock.ts";
import type { ServiceError } from "../../../lib/errors.ts";

/** How long to wait for what comes next of a stream. */
export interface Patience {
  /** Ends the wait at once. */
  readonly signal: AbortSignal;
  readonly msMax: number;
  readonly clock: Clock;
  /** The fault of a stream of which nothing has come for so long. */
  readonly late: () => ServiceError;
}

/** What comes next of a stream; throws the signal's reason once that is aborted, and `late` after a while, whether anything comes or not. */
export async function arrivalOf<Item>(source: AsyncIterator<Item>, patience: Patience): Promise<IteratorResult<Item>> {
  const { signal, msMax, clock, late } = patience;
  signal.throwIfAborted();
  let cancel!: () => void;
  const waiting = new Promise<never>((_, reject) => {
    const abort = () => reject(signal.reason);
    const cancelLate = clock.after(msMax, () => reject(late()));
    signal.addEventListener("abort", abort);
    cancel = () => {
      cancelLate();
      signal.removeEventListener("abort", abort);
    };
  });
  try {
    const next = await Promise.race([source.next(), waiting]);
    // A caller that goes ends its stream too.
    signal.throwIfAborted();
    return next;
  } finally {
    cancel();
  }
}
