import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import type { QueueConfig } from "../config.ts";
import {
  type Attempt,
  type Job,
  type JobCheckpoint,
  type JobEvent,
  type JobProgress,
  type JobState,
  jobStates,
  type LogLine,
  type Predicted,
  queuedStates,
  type Trial,
} from "../jobs/job.ts";
import { createJobId } from "./job-id.ts";
import { changeScript, createScript } from "./job-scripts.ts";
import { keyPrefix, type RedisClient, reaching } from "./redis.ts";

/** What a job is submitted with. */
export type NewJob = Pick<Job, "work" | "requestId" | "priority" | "parent" | "scheduledEpochs" | "checkpoint">;
/** What changes together with a state. */
export type JobChange = Partial<Omit<Job, "id" | "state" | "endTimeMs">>;

/** Redis publishes the id of a job here after every change. */
export const jobChannel = `${keyPrefix}:changed`;

/** A request id answers with its job for a week. */
const requestLifetimeSeconds = 7 * 24 * 3600;

/**
 * The truth about jobs, in Redis and shared by all trainers; BullMQ only delivers. Every call throws SERVICE_UNAVAILABLE
 * at once while Redis is down.
 */
export class JobStore {
  readonly #redis: ScriptedRedis;
  readonly #config: QueueConfig;
  readonly #clock: Clock;

  constructor(redis: RedisClient, config: QueueConfig, clock: Clock) {
    redis.defineCommand("createJob", { numberOfKeys: 5, lua: createScript });
    redis.defineCommand("changeJob", { numberOfKeys: 5, lua: changeScript });
    this.#redis = redis as ScriptedRedis;
    this.#config = config;
    this.#clock = clock;
  }

  /** Stores a new job and answers it; or the job that the same idempotency key made before. QUEUE_FULL above the bound. */
  async create(job: NewJob, idempotencyKey: string): Promise<Job> {
    const createTimeMs = this.#clock.now();
    const id = createJobId(createTimeMs);
    const fields = fieldsOf({ ...job, id, state: "PENDING", attempts: 0, attemptsInVain: 0, createTimeMs });
    const lifetime = idempotencyKey === "" ? 0 : requestLifetimeSeconds;
    const asker = job.parent === undefined ? "request" : "trial";
    const keys = [askedKey(asker, idempotencyKey), jobKey(id), eventsKey(id), openKey, indexKey];
    const { openJobsMax } = this.#config;
    const created = await reaching(() =>
      this.#redis.createJob(...keys, id, openJobsMax, lifetime, createTimeMs, keyPrefix, ...fields),
    );
    if (created === null) {
      throw new ServiceError(
        "QUEUE_FULL",
        `${openJobsMax} jobs wait or run; needed: fewer than AMAAS_TRAINER_OPEN_JOBS_MAX`,
        {
          retryDelayMs: 10_000,
        },
      );
    }
    return this.get(created);
  }

  /** The job that a request's idempotency key has made, if there is one. */
  async findRequested(idempotencyKey: string): Promise<Job | undefined> {
    if (idempotencyKey === "") return undefined;
    const id = await reaching(() => this.#redis.get(askedKey("request", idempotencyKey)));
    return id === null ? undefined : this.find(id);
  }

  /** Reads one job; JOB_NOT_FOUND. */
  async get(id: string): Promise<Job> {
    const found = await this.find(id);
    if (found === undefined) throw notFound(id);
    return found;
  }

  /** Reads one job, if there is such a one. */
  async find(id: string): Promise<Job | undefined> {
    const fields = await reaching(() => this.#redis.hgetall(jobKey(id)));
    return fields.id === undefined ? undefined : jobOf(fields);
  }

  /** As much of a job as tells what is going on, and the number of its last event; JOB_NOT_FOUND. */
  async standing(id: string): Promise<Pick<Job, "state" | "attempts"> & Pick<JobEvent, "sequence">> {
    const fields = ["state", "attempts", "sequence"];
    const [state, attempts, sequence] = await reaching(() => this.#redis.hmget(jobKey(id), ...fields));
    if (!state || !attempts || !sequence) throw notFound(id);
    return { state: JSON.parse(state), attempts: JSON.parse(attempts), sequence: Number(sequence) };
  }

  /** At most `count` jobs that are older than the job `before`, newest first. */
  async list(count: number, before: string | undefined): Promise<readonly Job[]> {
    return reaching(async () => {
      const newest = before === undefined ? "+" : `(${before}`;
      const ids = await this.#redis.zrange(indexKey, newest, "-", "BYLEX", "REV", "LIMIT", 0, count);
      const found = await Promise.all(ids.map((id) => this.#redis.hgetall(jobKey(id))));
      return found.filter((fields) => fields.id !== undefined).map(jobOf);
    });
  }

  /** The ids of all jobs that have not ended. */
  openIds(): Promise<readonly string[]> {
    return reaching(() => this.#redis.smembers(openKey));
  }

  /** At most `count` events of a job after a sequence number, in order. */
  async eventsAfter(id: string, sequence: number, count: number): Promise<readonly JobEvent[]> {
    const entries = await reaching(() => this.#redis.xrange(eventsKey(id), `(${sequence}-0`, "+", "COUNT", count));
    return entries.map(([entryId, fields]) => eventOf(entryId, fields));
  }

  /**
   * Moves a job to a state if it is in one of `from`, and if no other attempt has begun than the one given; answers whether it was.
   * JOB_NOT_FOUND.
   */
  move(
    id: string,
    from: readonly JobState[],
    to: JobState,
    change: JobChange = {},
    attempts?: number,
  ): Promise<boolean> {
    const ended = jobStates[to].ended;
    const fields = { ...change, state: to, ...(ended && { endTimeMs: this.#clock.now() }) };
    return this.#change(id, { from, attempts, event: { kind: "state" }, fields, ended });
  }

  /** Changes the priority of a job that has not ended; answers whether it has not. The same one again is no event. JOB_NOT_FOUND. */
  async setPriority(id: string, priority: number): Promise<boolean> {
    const now = await this.get(id);
    if (now.priority === priority) return !jobStates[now.state].ended;
    return this.#change(id, { from: openStates, event: { kind: "state" }, fields: { priority } });
  }

  /** Appends progress if the attempt is at work; answers whether it is. */
  progress({ id, attempts }: Attempt, progress: JobProgress): Promise<boolean> {
    const event = { kind: "progress", body: progress } as const;
    return this.#change(id, { from: ["RUNNING"], attempts, event, fields: { progress } });
  }

  /** Keeps how long a job has run, over all attempts, if the attempt is at work; answers whether it is. */
  keepRanMs({ id, attempts }: Attempt, ranMs: number): Promise<boolean> {
    return this.#change(id, { from: queuedStates, attempts, fields: { ranMs } });
  }

  /** Appends a line for watchers if no other attempt has begun and the job has not ended; a long one is cut. Answers whether it was. */
  tell({ id, attempts }: Attempt, { level, text }: LogLine): Promise<boolean> {
    const event = { kind: "log", body: { level, text: text.slice(0, lineLengthMax) } } as const;
    return this.#change(id, { from: openStates, attempts, event, fields: {} });
  }

  /** Keeps what the next attempt goes on from, also that of an attempt that has just been paused; answers whether it still counts. */
  keepCheckpoint({ id, attempts }: Attempt, checkpoint: JobCheckpoint): Promise<boolean> {
    return this.#change(id, { from: openStates, attempts, fields: { checkpoint, attemptsInVain: 0 } });
  }

  /** Keeps what a sweep has tried and decided so far; answers whether the attempt still leads it. */
  keepTrials({ id, attempts }: Attempt, trials: readonly Trial[]): Promise<boolean> {
    const fields = { trials, attemptsInVain: 0 };
    return this.#change(id, { from: queuedStates, attempts, fields });
  }

  /** Keeps what has been predicted, as {@link keepCheckpoint} does. */
  keepPredicted({ id, attempts }: Attempt, predicted: Predicted): Promise<boolean> {
    return this.#change(id, { from: openStates, attempts, fields: { predicted, attemptsInVain: 0 } });
  }

  /** Counts an attempt as one that has ended in order. */
  async spareAttempt({ id, attempts }: Attempt): Promise<void> {
    await this.#change(id, { from: queuedStates, attempts, fields: { attemptsInVain: 0 } });
  }

  async #change(id: string, { from, attempts, event, fields, ended }: Change): Promise<boolean> {
    const keys = [jobKey(id), eventsKey(id), openKey, endedKey, indexKey];
    const { eventsMax, endedJobsMax } = this.#config;
    const what = [from.join(","), attempts ?? "", event?.kind ?? "", JSON.stringify(event?.body ?? null)];
    const bounds = [this.#clock.now(), eventsMax, endedJobsMax, ended ? "ended" : "", keyPrefix, jobChannel];
    const made = await reaching(() => this.#redis.changeJob(...keys, id, ...what, ...bounds, ...fieldsOf(fields)));
    if (made === null) throw notFound(id);
    return made === 1;
  }
}

/** A change, and what it needs of the job. */
interface Change {
  readonly from: readonly JobState[];
  readonly attempts?: number;
  readonly event?: { readonly kind: JobEvent["kind"]; readonly body?: unknown };
  readonly fields: Partial<Job>;
  readonly ended?: boolean;
}

const openStates = (Object.keys(jobStates) as JobState[]).filter((state) => !jobStates[state].ended);
/** Longer lines for watchers are cut. */
const lineLengthMax = 2000;

type ScriptArguments = readonly (string | number)[];
type ScriptedRedis = RedisClient & {
  createJob(...keysAndArguments: ScriptArguments): Promise<string | null>;
  changeJob(...keysAndArguments: ScriptArguments): Promise<0 | 1 | null>;
};

const openKey = `${keyPrefix}:open`;
const endedKey = `${keyPrefix}:ended`;
const indexKey = `${keyPrefix}:jobs`;
const askedKey = (asker: "request" | "trial", key: string) => `${keyPrefix}:${asker}:${key}`;
const jobKey = (id: string) => `${keyPrefix}:job:${id}`;
const eventsKey = (id: string) => `${keyPrefix}:events:${id}`;

function notFound(id: string): ServiceError {
  return new ServiceError("JOB_NOT_FOUND", `there is no job jobs/${id}`);
}

function fieldsOf(job: Partial<Job>): string[] {
  return Object.entries(job).flatMap(([field, value]) => (value === undefined ? [] : [field, JSON.stringify(value)]));
}

function jobOf({ sequence: _, ...fields }: Record<string, string>): Job {
  return Object.fromEntries(Object.entries(fields).map(([field, text]) => [field, JSON.parse(text)])) as unknown as Job;
}

function eventOf(entryId: string, fields: readonly string[]): JobEvent {
  const { time, kind, body } = pairsOf(fields);
  const base = { sequence: Number.parseInt(entryId, 10), timeMs: Number(time) };
  const told = JSON.parse(body);
  switch (kind as JobEvent["kind"]) {
    case "state":
      return { ...base, kind: "state", job: jobOf(pairsOf(told)) };
    case "progress":
      return { ...base, kind: "progress", progress: told };
    case "log":
      return { ...base, kind: "log", line: told };
  }
}

function pairsOf(flat: readonly string[]): Record<string, string> {
  return Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]));
}
