import { EventEmitter, once } from "node:events";
import type { Redis } from "ioredis";
import type { Clock } from "../../../lib/clock.ts";
import { jobChannel } from "./job-store.ts";
import { reaching } from "./redis.ts";

/** A message that was lost while the connection was down is made up for after this long, in milliseconds. */
const pollMs = 1000;

/** Tells when a job has changed, through any trainer. One connection serves all who wait. */
export class JobChanges {
  readonly #redis: Redis;
  readonly #clock: Clock;
  readonly #changed = new EventEmitter().setMaxListeners(0);

  constructor(redis: Redis, clock: Clock) {
    this.#redis = redis;
    this.#clock = clock;
  }

  async start(): Promise<void> {
    this.#redis.on("message", (_channel: string, id: string) => this.#changed.emit(id));
    await reaching(() => this.#redis.subscribe(jobChannel));
  }

  /** Calls back on every change of one job, and now and then without one; the answer ends it. */
  watch(id: string, callback: () => void): () => void {
    let cancelPoll = () => {};
    const poll = () => {
      cancelPoll = this.#clock.after(pollMs, () => {
        callback();
        poll();
      });
    };
    this.#changed.on(id, callback);
    poll();
    return () => {
      cancelPoll();
      this.#changed.off(id, callback);
    };
  }

  /** Settles at the next change of a job, after a while without one, or when the signal aborts. Never rejects. */
  async next(id: string, signal: AbortSignal): Promise<void> {
    const settled = new AbortController();
    const cancelPoll = this.#clock.after(pollMs, () => settled.abort());
    await once(this.#changed, id, { signal: AbortSignal.any([signal, settled.signal]) }).catch(() => undefined);
    cancelPoll();
  }
}
