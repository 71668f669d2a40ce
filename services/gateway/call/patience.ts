import { ServiceError } from "../../../lib/errors.ts";
import { timeoutMsOf } from "../../../lib/rpc/timeout.ts";
import { type CallEnd, endOfThrown } from "./call-end.ts";

/** How long the caller of a call waits, and who wants to know when it no longer does. */
export class Patience {
  /** `performance.now()` when the call arrived. */
  readonly arrivedMs = performance.now();
  #deadlineMs = Infinity;
  #isAsked = false;
  #timer: NodeJS.Timeout | undefined;
  #over: CallEnd | undefined;
  #isEnded = false;
  /** Hardly ever more than one. */
  readonly #listeners: ((why: CallEnd) => void)[] = [];

  /** In milliseconds since 1970; Infinity where nobody has said. */
  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  get over(): CallEnd | undefined {
    return this.#over;
  }

  /**
   * Takes the time that a header `grpc-timeout` gives, or else the preset, in milliseconds, and holds the call to it. Throws
   * REQUEST_INVALID, and DEADLINE_EXCEEDED where it is too late already.
   */
  begin(header: string | string[] | undefined, presetMs: number): void {
    const askedMs = timeoutMsOf(header);
    if (askedMs <= 0) {
      throw new ServiceError("DEADLINE_EXCEEDED", "the deadline had already passed when the call arrived");
    }
    this.#isAsked = askedMs < Infinity;
    if (this.#isAsked) this.#hold(askedMs, () => "the deadline has passed");
    else if (presetMs < Infinity) this.preset(presetMs);
  }

  /** The time of a caller that has not said how long it waits, from its arrival. */
  preset(ms: number): void {
    if (this.#isAsked || this.#isEnded) return;
    const said = () => `the call has no deadline, and was not answered within the default of ${ms} ms`;
    this.#hold(ms + this.arrivedMs - performance.now(), said);
  }

  /** Calls back once nobody waits any longer, at once where that is so already; the answer takes the listener back. */
  onOver(listener: (why: CallEnd) => void): () => void {
    if (this.#over !== undefined) listener(this.#over);
    else this.#listeners.push(listener);
    return () => this.#forget(listener);
  }

  /** Nobody waits any longer; nothing happens after the end. */
  giveUp(why: CallEnd): void {
    clearTimeout(this.#timer);
    if (this.#over !== undefined || this.#isEnded) return;
    this.#over = why;
    for (const listener of [...this.#listeners]) listener(why);
  }

  /** The caller has its answer. */
  end(): void {
    clearTimeout(this.#timer);
    this.#isEnded = true;
    if (this.#listeners.length > 0) this.#listeners.length = 0;
  }

  #forget(listener: (why: CallEnd) => void): void {
    const place = this.#listeners.indexOf(listener);
    const last = this.#listeners.length - 1;
    if (place < 0) return;
    this.#listeners[place] = this.#listeners[last]!;
    this.#listeners.length = last;
  }

  #hold(ms: number, said: () => string): void {
    clearTimeout(this.#timer);
    this.#deadlineMs = Date.now() + ms;
    this.#timer = setTimeout(
      () => this.giveUp(endOfThrown(new ServiceError("DEADLINE_EXCEEDED", said()))),
      Math.min(Math.ceil(ms), timerMsMax),
    );
  }
}

/** The end of a call whose caller went away. */
export const cancelled: CallEnd = endOfThrown(new ServiceError("CANCELLED", "the caller cancelled the call"));

/** What `setTimeout` takes. */
const timerMsMax = 2 ** 31 - 1;
