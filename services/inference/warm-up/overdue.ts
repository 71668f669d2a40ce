import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import type { Instance } from "../replicas/instance.ts";

/** A session has not come back from a run in time. Its thread cannot be ended, so that it is left behind: it ends when the run does. */
export class Overdue extends ServiceError {
  /** Settles when the thread has ended, if ever. */
  readonly ended: Promise<void>;

  constructor(message: string, ended: Promise<void>) {
    super("ARTIFACT_INVALID", message);
    this.ended = ended;
  }
}

/** How long the runs of a session may take together before it is ready. */
export class WarmUpTime {
  readonly #clock: Clock;
  readonly #msMax: number;
  readonly #endMs: number;

  /** Begins now. */
  constructor(clock: Clock, msMax: number) {
    this.#clock = clock;
    this.#msMax = msMax;
    this.#endMs = clock.monotonicMs() + msMax;
  }

  /** Runs an instance. Rejects with {@link Overdue} once the time is over. */
  run(instance: Instance, inputs: Parameters<Instance["run"]>[0]): Promise<void> {
    const outputNames = instance.signature.outputs.map(({ name }) => name);
    return new Promise((resolve, reject) => {
      const cancelTimer = this.#clock.after(Math.max(0, this.#endMs - this.#clock.monotonicMs()), () => {
        const message = `the session has not come back within ${this.#msMax} ms, which its runs may take before it is ready`;
        reject(new Overdue(message, instance.stop()));
      });
      instance
        .run(inputs, outputNames)
        .then(() => resolve(), reject)
        .finally(cancelTimer);
    });
  }
}
