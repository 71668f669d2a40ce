import type { Job as BullJob } from "bullmq";

/** A job's id in the hands of this worker, which holds a lock on it. The calls reject where the lock is lost. */
export class Delivery {
  readonly #job: BullJob;
  readonly #token: string;
  readonly #lockMs: number;

  /** The lock lasts so many milliseconds when nobody renews it; a dead worker's job is free after it. */
  constructor(job: BullJob, token: string, lockMs: number) {
    this.#job = job;
    this.#token = token;
    this.#lockMs = lockMs;
  }

  get id(): string {
    return this.#job.id!;
  }

  /** Renews the lock; answers whether it was still there. */
  async renew(): Promise<boolean> {
    return (await this.#job.extendLock(this.#token, this.#lockMs)) === 1;
  }

  /** Takes the job out of its queue: it has ended or is paused. */
  async done(): Promise<void> {
    await this.#job.moveToCompleted(null, this.#token, false);
  }

  /** Gives the job to whoever is next to take one, before others of its priority. */
  async giveBack(): Promise<void> {
    await this.#job.moveToWait(this.#token);
  }

  /** Gives the job back, but not before some time has passed, as clocks tell it, or its wait is ended. */
  async giveBackAfter(delayMs: number): Promise<void> {
    await this.#job.moveToDelayed(Date.now() + delayMs, this.#token);
  }

  /** Ends the wait of a job that was given back for later; rejects where it does not wait any more. */
  async endWait(): Promise<void> {
    await this.#job.promote();
  }
}
