import { type Job as Delivery, WaitingError, Worker } from "bullmq";
import type { Redis } from "ioredis";
import type { Clock } from "../../../lib/clock.ts";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import type { QueueConfig } from "../config.ts";
import { type Job, type JobState, jobStates } from "../jobs/job.ts";
import type { JobChanges } from "./job-changes.ts";
import { queueName } from "./job-queue.ts";
import type { JobChange, JobStore } from "./job-store.ts";
import { keyPrefix } from "./redis.ts";
import { retryDelayMs } from "./retry-delay.ts";

/** Does the work of one job and answers its result. Stops soon after the signal aborts, with the signal's reason. */
export type JobProcessor = (job: Job, signal: AbortSignal, log: Log) => Promise<Pick<JobChange, "version" | "metrics">>;

/** What a job worker is made of. */
export interface JobWorkerParts {
  readonly redis: Redis;
  readonly config: QueueConfig;
  readonly store: JobStore;
  readonly changes: JobChanges;
  readonly process: JobProcessor;
  /** Called when a job has ended that this worker had, however it ended; perhaps more than once. */
  readonly onEnd: (job: Job) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Takes jobs from the queue, runs them and records how they end. A worker that dies loses its lock, and the job is
 * delivered again; a job whose services cannot be reached is delivered again after a wait.
 */
export class JobWorker {
  readonly #parts: JobWorkerParts;
  readonly #stopping = new AbortController();
  readonly #running = new Map<string, AbortController>();
  #worker: Worker | undefined;

  constructor(parts: JobWorkerParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    const { redis, config, log } = this.#parts;
    this.#worker = new Worker(queueName, (delivery, token) => this.#deliver(delivery, token), {
      connection: redis,
      prefix: keyPrefix,
      concurrency: config.concurrency,
      lockDuration: lockMs,
      stalledInterval: stalledCheckMs,
      maxStalledCount: redeliveriesMax,
      settings: { backoffStrategy: (attemptsMade) => retryDelayMs(config, attemptsMade) },
    });
    this.#worker.on("error", (error) => log.debug({ error: messageOf(error) }, "worker"));
    this.#worker.on("failed", (delivery, error) => {
      if (delivery !== undefined && delivery.stalledCounter > redeliveriesMax) void this.#giveUp(delivery, error);
    });
    this.#worker.on("lockRenewalFailed", (ids) => {
      for (const id of ids)
        this.#running.get(id)?.abort(new ServiceError("WORKER_LOST", "the lock on the job was lost"));
    });
    await this.#worker.waitUntilReady();
  }

  /**
   * Stops taking jobs and gives back the running ones: another worker, or this one after a restart, begins them again. Where
   * Redis cannot be told in time, the jobs are free once their locks have run out.
   */
  async stop(): Promise<void> {
    this.#stopping.abort(new ServiceError("DRAINING", "the trainer is shutting down"));
    let cancel = () => {};
    const patience = new Promise<void>((resolve) => {
      cancel = this.#parts.clock.after(stopTimeoutMs, resolve);
    });
    await Promise.race([this.#worker?.close(), patience]);
    cancel();
  }

  async #deliver(delivery: Delivery, token: string | undefined): Promise<void> {
    const { store, process, clock } = this.#parts;
    const id = delivery.id!;
    const job = await store.get(id);
    const startTimeMs = job.startTimeMs ?? clock.now();
    // A job that was registering stays so, since its version may exist: it can begin again but not be cancelled.
    const next = job.state === "REGISTERING" ? "REGISTERING" : "RUNNING";
    if (
      !(await store.move(id, ["PENDING", "RUNNING", "REGISTERING"], next, { startTimeMs, attempts: job.attempts + 1 }))
    )
      return;
    const log = this.#parts.log.child({ requestId: job.requestId, job: id });
    log.info({ attempt: job.attempts + 1 }, "job begins");
    const over = new AbortController();
    this.#running.set(id, over);
    const unwatch = this.#parts.changes.watch(id, () => void this.#abortIfEnded(id, over));
    try {
      const result = await process(job, AbortSignal.any([over.signal, this.#stopping.signal]), log);
      if (await this.#end(id, "SUCCEEDED", result)) log.info({ version: result.version }, "job succeeded");
      else log.warn({ version: result.version }, "job had ended otherwise");
    } catch (failure) {
      if (over.signal.aborted) log.info({ why: messageOf(over.signal.reason) }, "job stopped");
      else if (this.#stopping.signal.aborted) await giveBack(delivery, token, log);
      else await this.#fail(delivery, failure, log);
    } finally {
      unwatch();
      this.#running.delete(id);
      await this.#tellIfEnded(id);
    }
  }

  async #tellIfEnded(id: string): Promise<void> {
    const ended = await this.#ended(id);
    if (ended !== undefined) this.#parts.onEnd(ended);
  }

  async #abortIfEnded(id: string, over: AbortController): Promise<void> {
    const ended = await this.#ended(id);
    if (ended !== undefined) over.abort(new ServiceError("CANCELLED", `the job is ${ended.state}`));
  }

  /** The job if it is known to have ended. */
  async #ended(id: string): Promise<Job | undefined> {
    const job = await this.#parts.store.get(id).catch(() => undefined);
    return job && jobStates[job.state].ended ? job : undefined;
  }

  async #fail(delivery: Delivery, failure: unknown, log: Log): Promise<void> {
    const fault = failure instanceof ServiceError ? failure : undefined;
    const attemptsLeft = this.#parts.config.attemptsMax - delivery.attemptsMade - 1;
    if (fault?.status === "UNAVAILABLE" && attemptsLeft > 0) {
      log.warn({ attemptsLeft, error: messageOf(failure) }, "job interrupted; it will begin again");
      throw failure;
    }
    const reason = fault?.reason ?? "INTERNAL";
    const message = fault?.message ?? "internal error; the trainer's log has the cause";
    const isRecorded = await this.#end(delivery.id!, "FAILED", { error: { reason, message } });
    if (isRecorded) log.error({ reason, error: failure }, "job failed");
  }

  async #giveUp(delivery: Delivery, failure: Error): Promise<void> {
    const message = `its worker died ${delivery.stalledCounter} times; the job may need more memory than there is`;
    this.#parts.log.error({ job: delivery.id, error: messageOf(failure) }, "job failed");
    await this.#end(delivery.id!, "FAILED", { error: { reason: "WORKER_LOST", message } }).catch((error) =>
      this.#parts.log.error({ job: delivery.id, error }, "the failure could not be recorded"),
    );
    await this.#tellIfEnded(delivery.id!);
  }

  #end(id: string, state: JobState, change: JobChange): Promise<boolean> {
    return this.#parts.store.move(id, ["RUNNING", "REGISTERING"], state, change);
  }
}

async function giveBack(delivery: Delivery, token: string | undefined, log: Log): Promise<never> {
  log.info({}, "job given back: the trainer is shutting down");
  await delivery.moveToWait(token);
  throw new WaitingError();
}

/** A worker renews its lock on a job at half of this; a dead worker's job is free after it. */
const lockMs = 5000;
/** How often each worker looks for jobs of dead workers. */
const stalledCheckMs = 2000;
/** How long a stop waits for running jobs to be given back, in milliseconds. */
const stopTimeoutMs = 5000;
/** A job that has cost this many workers their lives is not tried again. */
const redeliveriesMax = 3;
