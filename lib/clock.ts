/** Where time comes from, so that tests can make it pass. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds and their fractions since some moment of the past, to measure durations: never set back. */
  monotonicMs(): number;
  /**
   * Calls back once after a delay in milliseconds; the answer cancels it. A pending call does not keep the process alive. One
   * that is further away than timers reach, 24 days, never comes.
   */
  after(delayMs: number, callback: () => void): () => void;
}

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    if (delayMs > timerMsMax) return () => undefined;
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Node calls back at once after a longer delay. */
const timerMsMax = 2 ** 31 - 1;
