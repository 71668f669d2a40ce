import type { Clock } from "../../../lib/clock.ts";

/** Knows how many are there, and when the last one has left. */
export class Presence {
  #count = 0;
  readonly #whenLeft = new Set<() => void>();

  /** Counts one in; the answer counts it out, once. */
  enter(): () => void {
    this.#count++;
    let isThere = true;
    return () => {
      if (isThere && --this.#count === 0) for (const tell of this.#whenLeft) tell();
      isThere = false;
    };
  }

  /** Settles when nobody is there, or after a while. */
  async left(clock: Clock, msMax: number): Promise<void> {
    if (this.#count === 0) return;
    await new Promise<void>((resolve) => {
      const tell = () => {
        cancel();
        this.#whenLeft.delete(tell);
        resolve();
      };
      const cancel = clock.after(msMax, tell);
      this.#whenLeft.add(tell);
    });
  }
}
