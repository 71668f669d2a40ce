import type { Clock } from "../../../lib/clock.ts";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import type { QueueConfig } from "../config.ts";
import { type Job, type JobResult, type JobState, jobStates, type LogLine } from "../jobs/job.ts";
import type { Delivery } from "./delivery.ts";
import type { JobChanges } from "./job-changes.ts";
import type { JobQueue } from "./job-queue.ts";
import type { JobStore } from "./job-store.ts";
import { retryDelayMs } from "./retry-delay.ts";

/** A job at work. */
export interface Running {
  readonly job: Job;
  /**
   * Aborts when the attempt must stop. The reason of its reason says why: CANCELLED where the job has ended, JOB_PAUSED, DRAINING where the
   * trainer shuts down, WORKER_LOST where another attempt may have begun.
   */
  readonly signal: AbortSignal;
  /** How long the job has run by now, over all attempts, in milliseconds. */
  readonly ranMs: () => number;
  readonly log: Log;
  /** Says something to the watchers of the job, and to the log. */
  readonly tell: (level: LogLine["level"], text: string) => void;
}

/** Does the work of one job and answers its result. Stops within a second after the signal aborts, with the signal's reason. */
export type JobProcessor = (running: Running) => Promise<JobResult>;

/** What attempts need. */
export interface AttemptParts {
  readonly config: QueueConfig;
  readonly store: JobStore;
  readonly queue: Pick<JobQueue, "add" | "tellWorkers">;
  readonly changes: JobChanges;
  readonly process: JobProcessor;
  /** Called when a job has ended that this worker had, however it ended; perhaps more than once. */
  readonly onEnd: (job: Job) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** What becomes of a delivery. */
type Outcome = "done" | "given_back" | "lost" | { readonly afterMs: number };

/**
 * One attempt at a delivered job, from its beginning to what becomes of the delivery. An attempt whose services cannot be reached is followed by
 * another after a wait; any other failure is the job's. Never rejects for the job's sake.
 */
export class JobAttempt {
  readonly #parts: AttemptParts;
  readonly #delivery: Delivery;
  readonly #over = new AbortController();
  readonly #stopping: AbortSignal;

  constructor(parts: AttemptParts, delivery: Delivery, stopping: AbortSignal) {
    this.#parts = parts;
    this.#delivery = delivery;
    this.#stopping = stopping;
  }

  /** Rejects where Redis cannot be told; then the job is free once its lock has run out. */
  async run(): Promise<void> {
    const stopRenewal = this.#renewLock();
    try {
      const outcome = await this.#outcome();
      if (outcome === "given_back") await this.#delivery.giveBack();
      else if (typeof outcome === "object") await this.#giveBackAfter(outcome.afterMs);
      else if (outcome === "done") await this.#done();
    } finally {
      stopRenewal();
    }
  }

  /** The wait ends by the time that passes here, since clocks may be set; by what they say where this process is gone by then. */
  async #giveBackAfter(delayMs: number): Promise<void> {
    const { clock, queue, log } = this.#parts;
    await this.#delivery.giveBackAfter(delayMs);
    clock.after(delayMs, () => {
      if (this.#stopping.aborted) return;
      this.#delivery
        .endWait()
        .then(() => queue.tellWorkers())
        .catch((failure) => log.debug({ error: messageOf(failure), job: this.#delivery.id }, "the wait had ended"));
    });
  }

  async #outcome(): Promise<Outcome> {
    const job = await this.#begin();
    if (job === undefined) return "done";
    const log = this.#parts.log.child({ requestId: job.requestId, job: job.id });
    const tell: Running["tell"] = (level, text) => {
      log[level]({ attempt: job.attempts }, text);
      this.#parts.store
        .tell(job, { level, text })
        .catch((failure) => log.debug({ error: messageOf(failure) }, "watchers were not told"));
    };
    tell("info", job.attempts === 1 ? "begins" : `attempt ${job.attempts} begins`);
    const unwatch = this.#parts.changes.watch(job.id, () => void this.#stopIfOver(job));
    const signal = AbortSignal.any([this.#over.signal, this.#stopping]);
    const { clock, store } = this.#parts;
    const beganMs = clock.monotonicMs();
    const ranMs = () => (job.ranMs ?? 0) + clock.monotonicMs() - beganMs;
    const stopCounting = this.#every(ranMsKeptMs, () => {
      store
        .keepRanMs(job, ranMs())
        .catch((failure) => log.debug({ error: messageOf(failure) }, "the time is kept later"));
    });
    const running = { job, signal, ranMs, log, tell };
    try {
      const result = await this.#parts.process(running);
      if (await this.#end(job, "SUCCEEDED", result)) log.info({ version: result.version }, "job succeeded");
      else log.warn({ version: result.version }, "job had ended otherwise");
      return "done";
    } catch (failure) {
      return await this.#afterFailure(job, failure, running);
    } finally {
      stopCounting();
      unwatch();
    }
  }

  /** The job as it is begun, undefined where there is nothing to begin. */
  async #begin(): Promise<Job | undefined> {
    const { store, clock, config } = this.#parts;
    const found = await store.find(this.#delivery.id);
    if (found === undefined || !jobStates[found.state].queued) return undefined;
    if (found.attemptsInVain >= config.attemptsMax) {
      const message = `${found.attemptsInVain} workers in a row died while they were at it, or could not go on`;
      await this.#end(found, "FAILED", { error: { reason: "WORKER_LOST", message } });
      return undefined;
    }
    // A job that was registering stays so, since its version may exist: it can begin again but not be cancelled.
    const begun = {
      state: found.state === "REGISTERING" ? "REGISTERING" : "RUNNING",
      startTimeMs: found.startTimeMs ?? clock.now(),
      attempts: found.attempts + 1,
      attemptsInVain: found.attemptsInVain + 1,
    } as const;
    const { state, ...change } = begun;
    const isOurs = await store.move(found.id, [found.state], state, change, found.attempts);
    return isOurs ? { ...found, ...begun } : undefined;
  }

  async #afterFailure(job: Job, failure: unknown, { log, tell }: Running): Promise<Outcome> {
    const { store, config } = this.#parts;
    if (this.#over.signal.aborted) {
      log.info({ why: messageOf(this.#over.signal.reason) }, "job stopped");
      return reasonOf(this.#over.signal.reason) === "WORKER_LOST" ? "lost" : "done";
    }
    if (this.#stopping.aborted) {
      tell("info", "given back, because the trainer shuts down");
      await store.spareAttempt(job);
      return "given_back";
    }
    const fault = failure instanceof ServiceError ? failure : undefined;
    if (fault !== undefined && isPassing(fault) && job.attemptsInVain < config.attemptsMax) {
      const afterMs = retryDelayMs(config, job.attemptsInVain);
      tell("warn", `interrupted: ${fault.message}; begins again after ${afterMs} ms`);
      return { afterMs };
    }
    const reason = fault?.reason ?? "INTERNAL";
    const message = fault?.message ?? "internal error; the trainer's log has the cause";
    // One that was paused and resumed unseen is PENDING: this attempt could not end it, and the next one finds out what is wrong.
    const atWork = ["RUNNING", "REGISTERING"] as const;
    if (await store.move(job.id, atWork, "FAILED", { error: { reason, message } }, job.attempts))
      log.error({ reason, error: failure }, "job failed");
    return "done";
  }

  /** Takes the job out of its queue, and puts it in again where it was resumed meanwhile, since it could not be queued while it was there. */
  async #done(): Promise<void> {
    await this.#delivery.done();
    const job = await this.#parts.store.find(this.#delivery.id);
    if (job === undefined) return;
    if (jobStates[job.state].ended) this.#parts.onEnd(job);
    else if (jobStates[job.state].queued) await this.#parts.queue.add(job);
  }

  async #stopIfOver({ id, attempts }: Job): Promise<void> {
    const now = await this.#parts.store.standing(id).catch(() => undefined);
    if (now === undefined) return;
    if (jobStates[now.state].ended) this.#over.abort(new ServiceError("CANCELLED", `the job is ${now.state}`));
    else if (now.attempts !== attempts)
      this.#over.abort(new ServiceError("WORKER_LOST", "another worker has begun the job"));
    // PENDING where the job was resumed before this was seen.
    else if (now.state === "PAUSED" || now.state === "PENDING")
      this.#over.abort(new ServiceError("JOB_PAUSED", "the job is paused"));
  }

  /** Renews the lock from time to time until the answer is called; the attempt is over once it is lost. */
  #renewLock(): () => void {
    const { log, config } = this.#parts;
    return this.#every(config.lockMs / 4, () => {
      this.#delivery.renew().then(
        (isHeld) => isHeld || this.#over.abort(new ServiceError("WORKER_LOST", "the lock on the job was lost")),
        (failure) => log.debug({ error: messageOf(failure), job: this.#delivery.id }, "the lock is not renewed yet"),
      );
    });
  }

  /** Calls something whenever so much time has passed, until the answer is called. */
  #every(ms: number, call: () => void): () => void {
    let cancel = () => {};
    const callLater = () => {
      cancel = this.#parts.clock.after(ms, () => {
        callLater();
        call();
      });
    };
    callLater();
    return () => cancel();
  }

  #end({ id, attempts }: Job, state: JobState, change: Partial<Job>): Promise<boolean> {
    return this.#parts.store.move(id, ["PENDING", "RUNNING", "REGISTERING"], state, change, attempts);
  }
}

/** How often it is kept how long a job has run, in milliseconds: what a worker that dies has not kept does not count. */
const ranMsKeptMs = 1000;

function reasonOf(thrown: unknown): string | undefined {
  return thrown instanceof ServiceError ? thrown.reason : undefined;
}

/** Whether another attempt makes sense: there, or then, what was missing may be had. */
function isPassing({ status, reason }: ServiceError): boolean {
  return status === "UNAVAILABLE" || reason === "DISK_FULL";
}
