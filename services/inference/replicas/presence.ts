import type { Clock } from "../../../lib/clock.ts";

/** Knows how many are there, and when the last one has left. */
export class Presence {
  #count = 0;
  #whenLeft: () => void = () => undefined;

  /** Counts one in; the answer counts it out, once. */
  enter(): () => void {
    this.#count++;
    let isThere = true;
    return () => {
      if (isThere && --this.#count === 0) this.#whenLeft();
      isThere = false;
    };
  }

  /** Settles when nobody is there, or after a while. */
  async left(clock: Clock, msMax: number): Promise<void> {
    if (this.#count === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(msMax, resolve);
      this.#whenLeft = () => {
        cancel();
        resolve();
      };
    });
  }
}
