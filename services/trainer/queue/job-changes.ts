import { EventEmitter } from "node:events";
import type { Clock } from "../../../lib/clock.ts";
import { jobChannel } from "./job-store.ts";
import { keyPrefix, type RedisClient, reaching } from "./redis.ts";

/** A message that was lost while the connection was down is made up for after this long, in milliseconds. */
const pollMs = 1000;

/** Redis publishes here whenever a job is queued. */
export const queuedChannel = `${keyPrefix}:queued`;

/** Tells when a job has changed, through any trainer. One connection serves all who wait. */
export class JobChanges {
  readonly #redis: RedisClient;
  readonly #clock: Clock;
  readonly #changed = new EventEmitter().setMaxListeners(0);

  constructor(redis: RedisClient, clock: Clock) {
    this.#redis = redis;
    this.#clock = clock;
  }

  async start(): Promise<void> {
    this.#redis.on("message", (channel: string, id: string) =>
      this.#changed.emit(channel === jobChannel ? id : queuedChannel),
    );
    await reaching(() => this.#redis.subscribe(jobChannel, queuedChannel));
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

  /** Calls back whenever a job is queued, unless the message is lost; the answer ends it. */
  onQueued(callback: () => void): () => void {
    this.#changed.on(queuedChannel, callback);
    return () => this.#changed.off(queuedChannel, callback);
  }
}
