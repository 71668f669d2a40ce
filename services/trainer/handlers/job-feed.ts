import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import type { JobEvent as JobEventMessage } from "../../../lib/gen/amaas/trainer/v1/JobEvent.ts";
import { type Encoded, Framed } from "../../../lib/rpc/encoded.ts";
import { encoded } from "../../../lib/rpc/protos.ts";
import type { WatchConfig } from "../config.ts";
import { type JobEvent, jobStates } from "../jobs/job.ts";
import { jobEventMessage } from "../jobs/job-message.ts";
import type { JobChanges } from "../queue/job-changes.ts";
import type { JobStore } from "../queue/job-store.ts";

/** Where events come from. */
export interface FeedParts {
  readonly store: Pick<JobStore, "standing" | "eventsAfter">;
  readonly changes: Pick<JobChanges, "watch">;
  readonly bounds: WatchConfig;
  readonly clock: Clock;
}

/** Events in a row as all who watch their job are sent them: encoded and framed once. */
interface EventBatch {
  /** The number of its first event, and that of its last. */
  readonly first: number;
  readonly last: number;
  /** Whether the job has ended with it. */
  readonly isEnd: boolean;
  readonly framed: Framed<JobEventMessage>;
}

/** What is sent at once, in bytes; an event may be larger. */
const batchBytesMax = 256 * 1024;

/** The feeds of the jobs that are watched in this process. */
export class JobFeeds {
  readonly #parts: FeedParts;
  readonly #open = new Map<string, JobFeed>();
  readonly #watcherCounts = new Map<JobFeed, number>();
  #watcherCount = 0;

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  /**
   * The feed of a job, which those who watch it at the same time share. Whoever enters it leaves it again. QUEUE_FULL where as many watch jobs as
   * may.
   */
  enter(id: string): JobFeed {
    const { watchersMax } = this.#parts.bounds;
    if (this.#watcherCount >= watchersMax) throw tooMany(watchersMax);
    this.#watcherCount++;
    const known = this.#open.get(id);
    // One that has failed is for those who have it, and no longer for others.
    const feed = known === undefined || known.failure !== undefined ? new JobFeed(this.#parts, id) : known;
    this.#open.set(id, feed);
    this.#watcherCounts.set(feed, (this.#watcherCounts.get(feed) ?? 0) + 1);
    return feed;
  }

  leave(feed: JobFeed): void {
    this.#watcherCount--;
    const left = this.#watcherCounts.get(feed)! - 1;
    if (left > 0) {
      this.#watcherCounts.set(feed, left);
      return;
    }
    this.#watcherCounts.delete(feed);
    feed.close();
    if (this.#open.get(feed.id) === feed) this.#open.delete(feed.id);
  }
}

/**
 * What happens to one job, read once for all who watch it. It keeps the latest events, as many as its bounds allow; whoever is further behind
 * is given them from the store, so that nobody who reads slowly takes memory here.
 */
class JobFeed {
  /** Settles once the latest events are there; rejects with JOB_NOT_FOUND, or where the store cannot be reached. */
  readonly started: Promise<void>;
  readonly id: string;
  readonly #parts: FeedParts;
  #latest: FedEvent[] = [];
  #latestBytes = 0;
  /** The number of the last event that was read. */
  #last = 0;
  /** What those were given who were as far as most are. */
  #given: { readonly after: number; readonly last: number; readonly batches: readonly EventBatch[] } | undefined;
  #isOver = false;
  #failure: unknown;
  readonly #waiting = new Set<() => void>();
  readonly #replays = new Map<number, Promise<readonly EventBatch[]>>();
  /** The latest events are looked for first. */
  #isReading = true;
  #hasChanged = false;
  #unwatch = () => {};
  #wokenMs = Number.NEGATIVE_INFINITY;
  #cancelWake: (() => void) | undefined;

  constructor(parts: FeedParts, id: string) {
    this.#parts = parts;
    this.id = id;
    this.started = this.#start();
  }

  /** What the store has failed with; nothing more comes then. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Whether the job has ended, and all that has happened is read. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Events behind a number, in order, none where there is no newer one yet; undefined where the next one is no longer here. */
  after(sequence: number): readonly EventBatch[] | undefined {
    const first = this.#latest[0]?.sequence ?? this.#last + 1;
    if (sequence + 1 < first) return undefined;
    if (sequence >= this.#last) return [];
    if (this.#given?.after !== sequence || this.#given.last !== this.#last) {
      const batches = batchesOf(this.#latest.slice(sequence + 1 - first));
      this.#given = { after: sequence, last: this.#last, batches };
    }
    return this.#given.batches;
  }

  /** Some of the events behind a number, from the store, for one whom {@link after} has none for. */
  replayed(sequence: number): Promise<readonly EventBatch[]> {
    const asked = this.#replays.get(sequence);
    if (asked !== undefined) return asked;
    // What is read here does not change any more, so that whoever asks meanwhile gets the same.
    const reading = this.#read(sequence)
      .then(batchesOf)
      .finally(() => this.#replays.delete(sequence));
    this.#replays.set(sequence, reading);
    return reading;
  }

  /** Calls back once, when something has happened, or the store has failed; the answer cancels it. */
  onNext(callback: () => void): () => void {
    this.#waiting.add(callback);
    return () => void this.#waiting.delete(callback);
  }

  close(): void {
    this.#unwatch();
    this.#cancelWake?.();
    this.#isOver = true;
  }

  async #start(): Promise<void> {
    // Told before the first read, so that no change is missed.
    this.#unwatch = this.#parts.changes.watch(this.id, () => void this.#follow());
    try {
      const { sequence } = await this.#parts.store.standing(this.id);
      this.#last = Math.max(0, sequence - this.#parts.bounds.eventsMax);
    } catch (failure) {
      this.#fail(failure);
    }
    this.#isReading = false;
    await this.#follow();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Reads what is new, and goes on as long as something changes meanwhile. */
  async #follow(): Promise<void> {
    this.#hasChanged = true;
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#hasChanged && !this.#isOver && this.#failure === undefined) {
        this.#hasChanged = false;
        const { state } = await this.#parts.store.standing(this.id);
        const events = await this.#read(this.#last);
        this.#add(events);
        if (events.length === this.#parts.bounds.eventsMax) this.#hasChanged = true;
        else if (jobStates[state].ended) this.#end();
        if (events.length > 0 || this.#isOver) this.#wakeInTime();
      }
    } catch (failure) {
      this.#fail(failure);
    } finally {
      this.#isReading = false;
    }
  }

  async #read(after: number): Promise<readonly FedEvent[]> {
    return (await this.#parts.store.eventsAfter(this.id, after, this.#parts.bounds.eventsMax)).map(fed);
  }

  #add(events: readonly FedEvent[]): void {
    for (const event of events) {
      // Where the store has let go of some before they were read here, those who watch hear of it from the store.
      if (event.sequence !== this.#last + 1) [this.#latest, this.#latestBytes] = [[], 0];
      this.#latest.push(event);
      this.#latestBytes += event.frame.length;
      this.#last = event.sequence;
    }
    const { eventsMax, bytesMax } = this.#parts.bounds;
    while (this.#latest.length > eventsMax || this.#latestBytes > bytesMax) {
      this.#latestBytes -= this.#latest.shift()!.frame.length;
    }
  }

  #end(): void {
    this.#isOver = true;
    this.#unwatch();
  }

  #fail(failure: unknown): void {
    this.#failure ??= failure;
    this.#unwatch();
    this.#wakeAll();
  }

  /** Now, or once enough time has passed since the last time. */
  #wakeInTime(): void {
    const { clock, bounds } = this.#parts;
    const leftMs = this.#isOver ? 0 : this.#wokenMs + bounds.paceMs - clock.monotonicMs();
    if (leftMs <= 0) this.#wakeAll();
    else this.#cancelWake ??= clock.after(leftMs, () => this.#wakeAll());
  }

  #wakeAll(): void {
    this.#cancelWake?.();
    this.#cancelWake = undefined;
    this.#wokenMs = this.#parts.clock.monotonicMs();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}

function tooMany(watchersMax: number): ServiceError {
  const message = `${watchersMax} calls watch jobs here; needed: less than AMAAS_TRAINER_WATCHERS_MAX`;
  return new ServiceError("QUEUE_FULL", message, { retryDelayMs: 1000 });
}

/** An event as it is sent. */
interface FedEvent {
  readonly sequence: number;
  readonly isEnd: boolean;
  readonly frame: Buffer;
}

function fed(event: JobEvent): FedEvent {
  const isEnd = event.kind === "state" && jobStates[event.job.state].ended;
  const message: Encoded<JobEventMessage> = encoded("trainer", "amaas.trainer.v1.JobEvent", jobEventMessage(event));
  return { sequence: event.sequence, isEnd, frame: Framed.of(message).bytes };
}

function batchesOf(events: readonly FedEvent[]): readonly EventBatch[] {
  const batches: EventBatch[] = [];
  for (let begin = 0; begin < events.length; ) {
    let [end, bytes] = [begin, 0];
    do bytes += events[end++]!.frame.length;
    while (end < events.length && bytes + events[end]!.frame.length <= batchBytesMax);
    const batch = events.slice(begin, end);
    const [first, last] = [batch[0]!, batch.at(-1)!];
    const framed = Framed.joined<JobEventMessage>(batch.map(({ frame }) => frame));
    batches.push({ first: first.sequence, last: last.sequence, isEnd: last.isEnd, framed });
    begin = end;
  }
  return batches;
}
