import type { Clock } from "../../lib/clock.ts";
import { messageOf, ServiceError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import { jobName } from "../../lib/resource-names.ts";
import type { Catalogue } from "./catalogue.ts";
import { type Job, jobStates } from "./jobs/job.ts";
import { leftBy } from "./jobs/left-by.ts";
import { datasetsOf } from "./jobs/work.ts";
import type { JobStore } from "./queue/job-store.ts";

/** What holds are made of. */
export interface JobHoldsParts {
  readonly catalogue: Pick<Catalogue, "hold" | "release">;
  readonly store: Pick<JobStore, "openIds" | "find">;
  /** How long a hold lasts that nobody prolongs, in milliseconds. */
  readonly holdMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** As much of a job as its holds need. */
export type HoldingJob = Pick<
  Job,
  "id" | "work" | "requestId" | "state" | "checkpoint" | "predicted" | "trials" | "output"
>;

/**
 * Keeps what jobs need from being collected, in the name of each job, until it has ended: datasets, and what it has made so far. Whoever makes
 * something holds it; every trainer prolongs the holds of all jobs that have not ended, also of those that wait or are paused for long.
 */
export class JobHolds {
  readonly #parts: JobHoldsParts;
  readonly #releasing = new Set<Promise<void>>();
  #cancel = () => {};
  #prolonging: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(parts: JobHoldsParts) {
    this.#parts = parts;
  }

  /** Prolongs holds every hour from now on, or sooner where they are short. */
  start(): void {
    this.#cancel = this.#parts.clock.after(Math.min(prolongMsMax, this.#parts.holdMs / 3), () => {
      const { log } = this.#parts;
      this.#prolonging = this.#prolongAll()
        .catch((failure) => log.warn({ error: messageOf(failure) }, "the holds of jobs could not be prolonged yet"))
        .finally(() => this.#isStopped || this.start());
    });
  }

  /**
   * Holds what a job needs, or prolongs its holds. Rejects with the registry's fault, but not because something that the job has made is gone:
   * whoever goes on from there can do without.
   */
  async hold(job: HoldingJob, signal?: AbortSignal): Promise<void> {
    const { catalogue, holdMs } = this.#parts;
    const [holder, onBehalf] = [jobName(job.id), { requestId: job.requestId, signal }];
    const given = new Set(datasetsOf(job.work));
    const held = (artifact: string) =>
      catalogue.hold(artifact, holder, holdMs, onBehalf).catch((failure) => {
        const isGone = failure instanceof ServiceError && failure.status === "NOT_FOUND";
        if (!isGone || given.has(artifact)) throw failure;
      });
    await Promise.all(neededBy(job).map(held));
  }

  /** Ends the holds of a job in the background. Where the registry is away, they expire by themselves. */
  release(job: HoldingJob, log: Log): void {
    this.#release(job, neededBy(job), log);
  }

  /** Settles once no release is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    await this.#prolonging;
    await Promise.all(this.#releasing);
  }

  async #prolongAll(): Promise<void> {
    for (const id of await this.#parts.store.openIds()) {
      if (this.#isStopped) return;
      await this.#prolong(id).catch((failure) =>
        this.#parts.log.warn({ job: id, error: messageOf(failure) }, "what a job holds could not be prolonged yet"),
      );
    }
  }

  /** Of what the job has let go meanwhile the hold ends again. */
  async #prolong(id: string): Promise<void> {
    const { store, log } = this.#parts;
    const job = await store.find(id);
    if (job === undefined || jobStates[job.state].ended) return;
    await this.hold(job, AbortSignal.timeout(callMsMax));
    const now = await store.find(id);
    const isNeeded = new Set(now === undefined || jobStates[now.state].ended ? [now?.output] : neededBy(now));
    this.#release(
      job,
      neededBy(job).filter((artifact) => !isNeeded.has(artifact)),
      log,
    );
  }

  #release({ id, requestId }: HoldingJob, artifacts: readonly string[], log: Log): void {
    const { catalogue, clock } = this.#parts;
    const onBehalf = { requestId, deadlineMs: clock.now() + callMsMax };
    const releasing = Promise.all(artifacts.map((artifact) => catalogue.release(artifact, jobName(id), onBehalf)))
      .then(() => undefined)
      .catch((failure) =>
        log.warn({ error: messageOf(failure) }, "what the job held stays held until its holds expire"),
      )
      .finally(() => this.#releasing.delete(releasing));
    this.#releasing.add(releasing);
  }
}

/** The artifacts that a job needs until it has ended, each once; not what it leaves to its caller. */
function neededBy({ work, checkpoint, predicted, trials, output }: HoldingJob): readonly string[] {
  const made = [
    ...(checkpoint === undefined ? [] : [checkpoint.artifact]),
    ...(predicted?.parts ?? []).map(([, artifact]) => artifact),
    ...(trials ?? []).flatMap(leftBy),
  ];
  return [...new Set([...datasetsOf(work), ...made])].filter((artifact) => artifact !== output);
}

/** How often holds are prolonged at least, in milliseconds. */
const prolongMsMax = 60 * 60 * 1000;
/** How long calls to the registry for one job may take, in milliseconds. */
const callMsMax = 2000;
