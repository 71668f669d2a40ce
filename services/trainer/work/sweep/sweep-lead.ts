import { messageOf, ServiceError } from "../../../../lib/errors.ts";
import { jobName } from "../../../../lib/resource-names.ts";
import { type Job, jobStates, type Trial, type VersionOffer } from "../../jobs/job.ts";
import { leftBy } from "../../jobs/left-by.ts";
import { Alarm } from "../../queue/alarm.ts";
import type { Running } from "../../queue/job-attempt.ts";
import { releaseOffered } from "../version-offer.ts";
import type { WorkParts } from "../work-rules.ts";
import type { Assignment } from "./parameters.ts";
import { bestOf, mayAdvance, nextMove } from "./strategy.ts";
import type { SweepPlan } from "./sweep-plan.ts";
import { steerTrials, trialJob } from "./trial-jobs.ts";

/** What the best trial has left, and what it was given. */
export interface BestTrial {
  readonly offer: VersionOffer;
  readonly parameters: Assignment;
}

/** Leads a sweep through its trials. Every decision is in the job's record before the next one is taken. */
export class SweepLead {
  readonly #parts: WorkParts;
  readonly #running: Running;
  readonly #plan: SweepPlan;
  readonly #alarm: Alarm;
  readonly #watched = new Map<string, () => void>();
  #trials: readonly Trial[];

  constructor(parts: WorkParts, running: Running, plan: SweepPlan) {
    this.#parts = parts;
    this.#running = running;
    this.#plan = plan;
    this.#alarm = new Alarm(parts.clock);
    this.#trials = running.job.trials ?? [];
  }

  /** Settles once all trials have ended. TRIALS_FAILED where none has succeeded; the signal's reason once it aborts. */
  async bestTrial(): Promise<BestTrial> {
    const { signal } = this.#running;
    const wake = () => this.#alarm.ring();
    signal.addEventListener("abort", wake);
    try {
      while (await this.#goOn()) await this.#alarm.wait(pollMs);
    } catch (failure) {
      await this.#takeTrialsAlong();
      throw signal.aborted ? signal.reason : failure;
    } finally {
      signal.removeEventListener("abort", wake);
      for (const unwatch of this.#watched.values()) unwatch();
    }
    return this.#best();
  }

  /** Takes note of what has ended and uses the free places; answers whether anything is left to wait for. */
  async #goOn(): Promise<boolean> {
    for (const [index, { state }] of this.#trials.entries()) {
      this.#running.signal.throwIfAborted();
      if (state === "running") await this.#takeNote(index);
    }
    while (this.#runningCount < this.#plan.parallelTrials) {
      this.#running.signal.throwIfAborted();
      const move = nextMove(this.#trials, this.#plan.strategy);
      if (move === undefined) break;
      const index = move.kind === "start" ? this.#trials.length : move.index;
      if (!(await this.#begin(index))) return true;
    }
    return this.#runningCount > 0;
  }

  get #runningCount(): number {
    return this.#trials.filter(({ state }) => state === "running").length;
  }

  /** Begins a trial, or its next rung; answers whether there was room for its job. */
  async #begin(index: number): Promise<boolean> {
    const { assignments, strategy } = this.#plan;
    const { scores = [], parameters = textsOf(assignments[index]!), checkpoint } = this.#trials[index] ?? {};
    const held = checkpoint && { checkpoint };
    try {
      const job = await trialJob(this.#parts, this.#running.job, this.#plan, index, { scores, ...held });
      const epochs = job.work.kind === "train" ? job.work.spec.epochs : strategy.rungs[scores.length]!;
      await this.#keep(index, { job: job.id, parameters, scores, epochs, state: "running", ...held });
      this.#watch(job.id);
      return true;
    } catch (failure) {
      if (failure instanceof ServiceError && failure.reason === "QUEUE_FULL") return false;
      if (!(failure instanceof ServiceError) || failure.status !== "INVALID_ARGUMENT") throw failure;
      await this.#fail(index, { job: "", parameters, scores, epochs: 0, state: "failed", ...held }, failure.message);
      return true;
    }
  }

  async #takeNote(index: number): Promise<void> {
    const trial = this.#trials[index]!;
    this.#watch(trial.job);
    const job = await this.#parts.store.find(trial.job);
    if (job !== undefined && !jobStates[job.state].ended) return;
    this.#watched.get(trial.job)?.();
    this.#watched.delete(trial.job);
    const score = job?.metrics?.[this.#plan.metric];
    if (job?.state === "CANCELLED") await this.#keep(index, ended(trial, "ended_early"));
    else if (job?.state === "SUCCEEDED" && isScore(score)) await this.#score(index, trial, job, score);
    else await this.#fail(index, trial, job?.error?.message ?? `it has no ${this.#plan.metric}`);
  }

  async #score(index: number, trial: Trial, { offer }: Job, score: number): Promise<void> {
    const { strategy, metric } = this.#plan;
    const isLast = trial.scores.length + 1 === strategy.rungs.length;
    const before = bestOf(this.#trials, strategy);
    const scores = [...trial.scores, score];
    const scored = { ...ended(trial, isLast ? "succeeded" : "waiting"), scores };
    const checkpoint = offer?.checkpoint;
    await this.#keep(index, { ...scored, ...(offer && { offer }), ...(checkpoint && { checkpoint }) });
    const best = bestOf(this.#trials, strategy);
    const words = `trial ${index} has a ${metric} of ${score} after ${trial.epochs} epochs`;
    this.#running.tell("info", best === index ? `${words}, the best so far` : words);
    // Only the best one of the last rung may be registered.
    if (best !== index) await this.#drop(index, "offer");
    else if (before !== undefined) await this.#drop(before, "offer");
    const may = mayAdvance(this.#trials, strategy);
    for (const [other, { state }] of this.#trials.entries()) {
      if (state === "waiting" && !may.has(other)) await this.#drop(other, "checkpoint");
    }
  }

  async #fail(index: number, trial: Trial, why: string): Promise<void> {
    await this.#keep(index, ended(trial, "failed"));
    this.#running.tell("warn", `trial ${index} failed: ${why}`);
  }

  async #drop(index: number, what: "offer" | "checkpoint"): Promise<void> {
    const { [what]: dropped, ...trial } = this.#trials[index]!;
    if (dropped !== undefined) await this.#keep(index, trial);
  }

  async #best(): Promise<BestTrial> {
    const { strategy, assignments } = this.#plan;
    const index = bestOf(this.#trials, strategy);
    for (const [other, trial] of this.#trials.entries()) {
      if (trial.state === "waiting") await this.#keep(other, ended(trial, "ended_early"));
    }
    const offer = index === undefined ? undefined : this.#trials[index]!.offer;
    if (index !== undefined && offer !== undefined) return { offer, parameters: assignments[index]! };
    throw new ServiceError(
      "TRIALS_FAILED",
      `none of ${this.#trials.length} trials succeeded; the log of the job says why`,
    );
  }

  /** Keeps what is known of a trial, and lets go of what it had left, as far as no trial has left the same. */
  async #keep(index: number, trial: Trial): Promise<void> {
    const before = this.#trials[index];
    const trials = [...this.#trials];
    trials[index] = trial;
    this.#trials = trials;
    if (!(await this.#parts.store.keepTrials(this.#running.job, trials))) {
      this.#running.signal.throwIfAborted();
      throw new ServiceError("CANCELLED", "the sweep has ended or was begun by another meanwhile");
    }
    const needed = new Set(trials.flatMap(leftBy));
    for (const artifact of before === undefined ? [] : leftBy(before)) {
      if (!needed.has(artifact)) releaseOffered(this.#parts.catalogue, artifact, this.#running);
    }
  }

  #watch(id: string): void {
    if (this.#watched.has(id)) return;
    this.#watched.set(
      id,
      this.#parts.changes.watch(id, () => this.#alarm.ring()),
    );
  }

  /** The trials of a sweep that has ended or was paused are too, also those that were begun while it was. */
  async #takeTrialsAlong(): Promise<void> {
    const { store } = this.#parts;
    const { job, log } = this.#running;
    const now = await store.find(job.id).catch(() => undefined);
    if (now === undefined || now.attempts !== job.attempts || jobStates[now.state].queued) return;
    await steerTrials(this.#parts, { ...now, trials: this.#trials }).catch((failure) =>
      log.warn({ error: messageOf(failure), sweep: jobName(job.id) }, "trials go on without their sweep"),
    );
  }
}

/** A trial whose job has ended, without what it went on from. */
function ended({ checkpoint: _, ...trial }: Trial, state: Trial["state"]): Trial {
  return { ...trial, state };
}

function textsOf(assignment: Assignment): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(assignment).map(([field, value]) => [field, JSON.stringify(value)]));
}

/** A score that is not finite is stored as null. */
function isScore(score: number | null | undefined): score is number {
  return Number.isFinite(score);
}

/** How often trials are looked at where nothing is heard of them, in milliseconds. */
const pollMs = 1000;
