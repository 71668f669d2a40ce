import { ConnectionFault, errorCode } from "./faults.ts";

/**
 * How many streams of a connection may be given up before they are answered: whoever begins streams only to reset them has the work
 * of each done without a bound on what is open (CVE-2023-44487).
 */
export class ResetAllowance {
  #left = atOnceMax;
  #filledMs = performance.now();

  /** Another one. Throws a `ConnectionFault` where they are too many. */
  note(): void {
    if (this.#left < 1) this.#fill();
    if (this.#left < 1) {
      throw new ConnectionFault(
        errorCode.enhanceYourCalm,
        `too many streams were given up before their answer; needed: at most ${atOnceMax} at once and ${perSecondMax} a second`,
      );
    }
    this.#left--;
  }

  #fill(): void {
    const nowMs = performance.now();
    this.#left = Math.min(this.#left + ((nowMs - this.#filledMs) * perSecondMax) / 1000, atOnceMax);
    this.#filledMs = nowMs;
  }
}

const atOnceMax = 5000;
const perSecondMax = 500;
