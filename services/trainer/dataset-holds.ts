import type { Clock } from "../../lib/clock.ts";
import { messageOf } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import { jobName } from "../../lib/resource-names.ts";
import type { Catalogue } from "./catalogue.ts";
import type { Job } from "./jobs/job.ts";
import { datasetsOf } from "./jobs/work.ts";

/** What holds are made of. */
export interface DatasetHoldsParts {
  readonly catalogue: Pick<Catalogue, "hold" | "release">;
  /** How long a hold lasts that nobody prolongs, in milliseconds. */
  readonly holdMs: number;
  readonly clock: Clock;
}

/** As much of a job as its hold needs. */
export type HoldingJob = Pick<Job, "id" | "work" | "requestId" | "checkpoint">;

/** A job at work. */
export interface HoldingRun {
  readonly job: HoldingJob;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** Keeps the datasets of jobs from being collected, in the name of each job, until it has ended; lets go of its checkpoint then, too. */
export class DatasetHolds {
  readonly #parts: DatasetHoldsParts;
  readonly #releasing = new Set<Promise<void>>();

  constructor(parts: DatasetHoldsParts) {
    this.#parts = parts;
  }

  /** Holds the datasets of a job, or prolongs their holds. Rejects with the registry's fault. */
  async hold({ id, work, requestId }: HoldingJob, signal?: AbortSignal): Promise<void> {
    const { catalogue, holdMs } = this.#parts;
    await Promise.all(
      datasetsOf(work).map((dataset) => catalogue.hold(dataset, jobName(id), holdMs, { requestId, signal })),
    );
  }

  /** Holds the datasets of a job as long as `work` goes on, and for a while after. Rejects as `hold` and `work` do. */
  async during<Result>({ job, signal, log }: HoldingRun, work: () => Promise<Result>): Promise<Result> {
    await this.hold(job, signal);
    let cancel = () => {};
    let isOver = false;
    const prolongLater = () => {
      cancel = this.#parts.clock.after(Math.min(prolongMsMax, this.#parts.holdMs / 3), () => {
        this.hold(job, signal)
          .catch((failure) => log.warn({ error: messageOf(failure) }, "the dataset's hold could not be prolonged yet"))
          .finally(() => isOver || prolongLater());
      });
    };
    prolongLater();
    try {
      return await work();
    } finally {
      isOver = true;
      cancel();
    }
  }

  /** Ends the holds of a job in the background. Where the registry is away, they expire by themselves. */
  release({ id, work, requestId, checkpoint }: HoldingJob, log: Log): void {
    const { catalogue, clock } = this.#parts;
    const onBehalf = { requestId, deadlineMs: clock.now() + releaseMsMax };
    const held = [...datasetsOf(work), ...(checkpoint === undefined ? [] : [checkpoint.artifact])];
    const releasing = Promise.all(held.map((artifact) => catalogue.release(artifact, jobName(id), onBehalf)))
      .then(() => undefined)
      .catch((failure) =>
        log.warn({ error: messageOf(failure) }, "what the job held stays held until its holds expire"),
      )
      .finally(() => this.#releasing.delete(releasing));
    this.#releasing.add(releasing);
  }

  /** Settles once no release is under way. */
  async stop(): Promise<void> {
    await Promise.all(this.#releasing);
  }
}

/** How often holds are prolonged at least, in milliseconds. */
const prolongMsMax = 60 * 60 * 1000;
/** How long a release may take, in milliseconds. */
const releaseMsMax = 2000;
