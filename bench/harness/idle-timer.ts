/**
 * A timer in this process, which does next to nothing while others carry a load: when it is late, the machine has let a process wait that was
 * ready to run.
 */
export class IdleTimer {
  readonly #timer: NodeJS.Timeout;
  #lastMs = performance.now();
  #lateCount = 0;
  #latestMs = 0;

  constructor() {
    this.#timer = setInterval(() => this.#look(), intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#look();
  }

  /** How often it was late by more than 10 ms, and by how much at most. */
  get figures(): { readonly lateCount: number; readonly latestMs: number } {
    return { lateCount: this.#lateCount, latestMs: this.#latestMs };
  }

  #look(): void {
    const nowMs = performance.now();
    const lateMs = Math.max(0, nowMs - this.#lastMs - intervalMs);
    this.#lastMs = nowMs;
    if (lateMs > lateFromMs) this.#lateCount++;
    this.#latestMs = Math.max(this.#latestMs, lateMs);
  }
}

const intervalMs = 2;
const lateFromMs = 10;
