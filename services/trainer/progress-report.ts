import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { TrainingProgress } from "./engine/training-figures.ts";
import type { JobProgress } from "./jobs/job.ts";

/**
 * Publishes progress in order, one at a time: what arrives while one is on its way replaces what was waiting, so that a
 * slow store never delays the training nor grows a queue. A lost report is logged, and the training goes on.
 */
export class ProgressReport {
  readonly #publish: (progress: JobProgress) => Promise<unknown>;
  readonly #log: Log;
  #waiting: JobProgress | undefined;
  #publishing: Promise<void> | undefined;

  constructor(publish: (progress: JobProgress) => Promise<unknown>, log: Log) {
    this.#publish = publish;
    this.#log = log;
  }

  add({ kind: _, stepCount, ...figures }: TrainingProgress, epochs: number): void {
    this.#waiting = { ...figures, steps: stepCount, epochs };
    this.#publishing ??= this.#publishAll();
  }

  /** Settles once the last progress is published. */
  async finished(): Promise<void> {
    await this.#publishing;
  }

  async #publishAll(): Promise<void> {
    while (this.#waiting !== undefined) {
      const progress = this.#waiting;
      this.#waiting = undefined;
      await this.#publish(progress).catch((failure) => this.#log.warn({ error: messageOf(failure) }, "progress lost"));
    }
    this.#publishing = undefined;
  }
}
