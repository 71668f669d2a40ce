import type { Clock } from "../../lib/clock.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { ProgressConfig } from "./config.ts";
import type { TrainingProgress } from "./engine/training-figures.ts";
import type { JobProgress } from "./jobs/job.ts";

/**
 * Publishes progress in order, one at a time and, in the long run, not too often: what arrives meanwhile replaces what was waiting, so that a slow store never
 * delays the training nor grows a queue. A lost report is logged, and the training goes on.
 */
export class ProgressReport {
  readonly #config: ProgressConfig;
  readonly #publish: (progress: JobProgress) => Promise<unknown>;
  readonly #clock: Clock;
  readonly #log: Log;
  /** How many reports may come at once, as of a time. */
  #credit: { readonly count: number; readonly asOfMs: number };
  #isLast = false;
  #hurry = () => {};
  #waiting: JobProgress | undefined;
  #publishing: Promise<void> | undefined;

  constructor(config: ProgressConfig, publish: (progress: JobProgress) => Promise<unknown>, clock: Clock, log: Log) {
    this.#config = config;
    this.#publish = publish;
    this.#clock = clock;
    this.#credit = { count: config.burstMax, asOfMs: clock.monotonicMs() };
    this.#log = log;
  }

  add({ kind: _, stepCount, ...figures }: TrainingProgress, epochs: number): void {
    this.#waiting = { ...figures, steps: stepCount, epochs };
    this.#publishing ??= this.#publishAll();
  }

  /** Settles once the last progress is published, which is at once. */
  async finished(): Promise<void> {
    this.#isLast = true;
    this.#hurry();
    await this.#publishing;
  }

  async #publishAll(): Promise<void> {
    while (this.#waiting !== undefined) {
      const progress = this.#waiting;
      this.#waiting = undefined;
      await this.#publish(progress).catch((failure) => this.#log.warn({ error: messageOf(failure) }, "progress lost"));
      await this.#pause();
    }
    this.#publishing = undefined;
  }

  async #pause(): Promise<void> {
    const { paceMs, burstMax } = this.#config;
    const nowMs = this.#clock.monotonicMs();
    const earned = (nowMs - this.#credit.asOfMs) / paceMs;
    const count = Math.min(burstMax, this.#credit.count + earned) - 1;
    this.#credit = { count, asOfMs: nowMs };
    if (this.#isLast || count >= 1) return;
    await new Promise<void>((settle) => {
      const cancel = this.#clock.after((1 - count) * paceMs, settle);
      this.#hurry = () => {
        cancel();
        settle();
      };
    });
  }
}
