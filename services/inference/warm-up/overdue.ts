import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { type Instance, SessionOverdue } from "../replicas/instance.ts";

/** A session has not come back from a run in time, before it was ready; it is lost. */
export class WarmUpOverdue extends ServiceError {
  /** Settles when the thread has ended, if ever. */
  readonly gone: Promise<void>;

  constructor(message: string, gone: Promise<void>) {
    super("ARTIFACT_INVALID", message);
    this.gone = gone;
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

  /** Runs an instance. Rejects with {@link WarmUpOverdue} once the time is over. */
  async run(instance: Instance, inputs: Parameters<Instance["run"]>[0]): Promise<void> {
    const outputNames = instance.signature.outputs.map(({ name }) => name);
    try {
      await instance.run(inputs, outputNames, Math.max(0, this.#endMs - this.#clock.monotonicMs()));
    } catch (failure) {
      if (!(failure instanceof SessionOverdue)) throw failure;
      const message = `the session has not come back within ${this.#msMax} ms, which its runs may take before it is ready`;
      throw new WarmUpOverdue(message, failure.gone);
    }
  }
}
