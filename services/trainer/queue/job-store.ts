import type { Redis } from "ioredis";
import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import type { QueueConfig } from "../config.ts";
import { type Job, type JobEvent, type JobProgress, type JobState, jobStates } from "../jobs/job.ts";
import { createJobId } from "./job-id.ts";
import { changeScript, createScript } from "./job-scripts.ts";
import { keyPrefix, reaching } from "./redis.ts";

/** What a job is submitted with. */
export type NewJob = Pick<Job, "work" | "requestId" | "priority" | "parent">;
/** What changes together with a state. */
export type JobChange = Partial<Pick<Job, "startTimeMs" | "attempts" | "version" | "metrics" | "error">>;

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

  constructor(redis: Redis, config: QueueConfig, clock: Clock) {
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
    const fields = fieldsOf({ ...job, id, state: "PENDING", attempts: 0, createTimeMs });
    const lifetime = idempotencyKey === "" ? 0 : requestLifetimeSeconds;
    const keys = [`${keyPrefix}:request:${idempotencyKey}`, jobKey(id), eventsKey(id), openKey, indexKey];
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

  /** Reads one job; JOB_NOT_FOUND. */
  async get(id: string): Promise<Job> {
    const fields = await reaching(() => this.#redis.hgetall(jobKey(id)));
    if (fields.id === undefined) throw new ServiceError("JOB_NOT_FOUND", `there is no job jobs/${id}`);
    return jobOf(fields);
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

  /** Moves a job to a state if it is in one of `from`; answers whether it was. JOB_NOT_FOUND. */
  async move(id: string, from: readonly JobState[], to: JobState, change: JobChange = {}): Promise<boolean> {
    const endTimeMs = jobStates[to].ended ? this.#clock.now() : undefined;
    const found = await this.#change(id, from, "state", to, fieldsOf({ ...change, state: to, endTimeMs }));
    return from.includes(found);
  }

  /** Appends progress if the job is running; answers whether it is. */
  async progress(id: string, progress: JobProgress): Promise<boolean> {
    return (await this.#change(id, ["RUNNING"], "progress", "RUNNING", fieldsOf({ progress }))) === "RUNNING";
  }

  async #change(
    id: string,
    from: readonly JobState[],
    kind: JobEvent["kind"],
    to: JobState,
    fields: readonly string[],
  ) {
    const keys = [jobKey(id), eventsKey(id), openKey, endedKey, indexKey];
    const { eventsMax, endedJobsMax } = this.#config;
    const ended = jobStates[to].ended ? "ended" : "";
    const bounds = [this.#clock.now(), eventsMax, endedJobsMax, ended, keyPrefix, jobChannel];
    const found = await reaching(() => this.#redis.changeJob(...keys, id, from.join(","), kind, ...bounds, ...fields));
    if (found === null) throw new ServiceError("JOB_NOT_FOUND", `there is no job jobs/${id}`);
    return JSON.parse(found) as JobState;
  }
}

type ScriptArguments = readonly (string | number)[];
type ScriptedRedis = Redis & {
  createJob(...keysAndArguments: ScriptArguments): Promise<string | null>;
  changeJob(...keysAndArguments: ScriptArguments): Promise<string | null>;
};

const openKey = `${keyPrefix}:open`;
const endedKey = `${keyPrefix}:ended`;
const indexKey = `${keyPrefix}:jobs`;
const jobKey = (id: string) => `${keyPrefix}:job:${id}`;
const eventsKey = (id: string) => `${keyPrefix}:events:${id}`;

function fieldsOf(job: Partial<Job>): string[] {
  return Object.entries(job).flatMap(([field, value]) => (value === undefined ? [] : [field, JSON.stringify(value)]));
}

function jobOf({ sequence: _, ...fields }: Record<string, string>): Job {
  return Object.fromEntries(Object.entries(fields).map(([field, text]) => [field, JSON.parse(text)])) as unknown as Job;
}

function eventOf(entryId: string, fields: readonly string[]): JobEvent {
  const { time, kind, body } = pairsOf(fields);
  const base = { sequence: Number.parseInt(entryId, 10), timeMs: Number(time) };
  return kind === "state"
    ? { ...base, kind: "state", job: jobOf(pairsOf(JSON.parse(body))) }
    : { ...base, kind: "progress", progress: JSON.parse(body) };
}

function pairsOf(flat: readonly string[]): Record<string, string> {
  return Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]));
}
