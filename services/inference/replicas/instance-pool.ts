import type { Clock } from "../../../lib/clock.ts";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import type { Signature, Tensor } from "../../../lib/tensor.ts";
import { type BackOff, backOffMs } from "../back-off.ts";
import { AnswerOrder } from "../batching/answer-order.ts";
import { type BatchSettings, priorityOf, unbatched } from "../batching/batch-settings.ts";
import { Batcher, deadlinePassed } from "../batching/batcher.ts";
import { Occupancy, type QueueBounds } from "../batching/occupancy.ts";
import { type CallLimits, PendingRequest } from "../batching/pending-request.ts";
import { failureKindOf, type PoolObserver } from "../batching/pool-observer.ts";
import { bucketOf, joiningObstacle, rowCountOf } from "../batching/rows.ts";
import { runBatch } from "../batching/run-batch.ts";
import type { InferenceJob } from "../tensors/decode.ts";
import type { RunResult } from "../worker/thread-protocol.ts";
import type { Instance } from "./instance.ts";

/** What a pool is made of. */
export interface PoolOptions {
  /** Threads of the runtime inside one operator, for each session of the model; at least one. */
  readonly sessionThreads: readonly number[];
  readonly queue: QueueBounds;
  /** What waits on the whole node. */
  readonly nodeQueue: Occupancy;
  /** How requests are joined; undefined where each runs alone. */
  readonly batching: BatchSettings | undefined;
  /** How long a caller waits that does not say; Infinity for ever. */
  readonly defaultTimeoutMs: number;
  /** Waits before a lost instance is replaced. */
  readonly restart: BackOff;
  /** Loads one more instance. */
  readonly startInstance: (intraOpThreads: number) => Promise<Instance>;
  readonly observer: PoolObserver;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** What a pool holds at a moment. */
export interface PoolUsage {
  /** Sessions that are loaded. */
  readonly instanceCount: number;
  readonly waitingRequests: number;
  readonly waitingRows: number;
  /** Of inputs. */
  readonly waitingBytes: number;
}

/** The instances of one replica behind one batcher. An instance that dies is replaced. */
export class InstancePool {
  readonly #options: PoolOptions;
  readonly #settings: BatchSettings;
  readonly #queue: Occupancy;
  readonly #batcher: Batcher<PendingRequest>;
  /** By priority, where the order of answers is kept. */
  readonly #orders: readonly AnswerOrder[];
  readonly #live = new Set<Instance>();
  readonly #idle: Instance[] = [];
  #hasRows = false;
  #failureCount = 0;
  #stopping = false;
  #whenIdle: (() => void) | undefined;
  readonly #replacing = new Set<Promise<void>>();
  #stopped: Promise<void> | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#settings = options.batching ?? unbatched;
    this.#queue = new Occupancy(options.queue);
    this.#batcher = new Batcher({
      settings: this.#settings,
      occupancies: [this.#queue, options.nodeQueue],
      clock: options.clock,
      freeCount: () => this.#idle.length,
      instanceCount: () => this.#live.size,
      run: (batch) => void this.#runOn(this.#idle.shift()!, batch),
    });
    this.#orders = this.#settings.preserveOrdering ? this.#settings.queuePolicies.map(() => new AnswerOrder()) : [];
  }

  /** What there is at the moment. */
  get usage(): PoolUsage {
    const { requests, rows, bytes } = this.#queue;
    return { instanceCount: this.#live.size, waitingRequests: requests, waitingRows: rows, waitingBytes: bytes };
  }

  /**
   * Loads every instance: one first, so that a model that cannot be loaded fails once. Rejects with its fault, once none is
   * being loaded any longer and all that were are stopped.
   */
  async start(): Promise<Signature> {
    const { sessionThreads, startInstance } = this.#options;
    const [threads, ...rest] = sessionThreads;
    try {
      const first = await startInstance(threads);
      this.#examine(first.signature);
      await this.#add(first, threads);
      const others = rest.map(async (other) => this.#add(await startInstance(other), other));
      const failed = (await Promise.allSettled(others)).find((outcome) => outcome.status === "rejected");
      if (failed !== undefined) throw failed.reason;
      return first.signature;
    } catch (failure) {
      await this.stop();
      throw failure;
    }
  }

  /**
   * Runs a job on the next free instance, joined with others where that is set. A caller that goes away leaves the queue at
   * once; the result of a job that is already running is then dropped.
   *
   * Rejects with DEADLINE_EXCEEDED, QUEUE_FULL, WORKER_LOST, MODEL_NOT_READY, or the fault of the session.
   */
  async run(job: InferenceJob, limits: CallLimits): Promise<readonly Tensor[]> {
    const { clock, defaultTimeoutMs } = this.#options;
    const deadlineMs = limits.deadlineMs === Infinity ? clock.now() + defaultTimeoutMs : limits.deadlineMs;
    const order = this.#orders[priorityOf(job.priority, this.#settings) - 1];
    this.#refuseOnArrival(job, { signal: limits.signal, deadlineMs }, order);
    const request = this.#pending(job, { deadlineMs, signal: limits.signal }, order);
    try {
      this.#batcher.add(request);
    } catch (refusal) {
      request.reject(refusal);
    }
    return request.outputs;
  }

  /** Takes no more jobs, finishes those that it has, then frees every session. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    this.#batcher.drain();
    await Promise.all(this.#replacing);
    if (this.#live.size === 0) this.#batcher.rejectAll(sessionsLost());
    if (!this.#isIdle()) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    await Promise.all([...this.#live].map((instance) => instance.stop()));
  }

  #refuseOnArrival(job: InferenceJob, { signal, deadlineMs }: CallLimits, order: AnswerOrder | undefined): void {
    try {
      signal.throwIfAborted();
      if (deadlineMs <= this.#options.clock.now()) throw deadlinePassed();
      if (this.#stopping) throw new ServiceError("MODEL_NOT_READY", "the version is being unloaded");
      if (this.#live.size === 0 && this.#failureCount > 1) throw sessionsLost();
      if (order !== undefined) this.#refuseSurplus(order);
    } catch (refusal) {
      this.#options.observer.failed(failureKindOf(refusal, false), 0, job.responseIndex);
      throw refusal;
    }
  }

  /** What is held back no longer waits in the queue, and is bounded as if it did. */
  #refuseSurplus({ heldCount }: AnswerOrder): void {
    const { requestsMax } = this.#options.queue;
    if (heldCount < requestsMax) return;
    const message = `Exceeds maximum queue size: ${heldCount} answers wait for earlier ones; at most ${requestsMax} may`;
    throw new ServiceError("QUEUE_FULL", message, { retryDelayMs: heldRetryDelayMs });
  }

  #pending(job: InferenceJob, limits: CallLimits, order: AnswerOrder | undefined): PendingRequest {
    const { clock, observer, batching } = this.#options;
    return new PendingRequest(job, {
      ...limits,
      rowCount: this.#hasRows ? rowCountOf(job.inputs) : 1,
      bucket: this.#hasRows && batching !== undefined ? bucketOf(job) : undefined,
      order,
      clock,
      observer,
      onAbandon: (abandoned) => this.#batcher.remove(abandoned),
    });
  }

  #examine(signature: Signature): void {
    const obstacle = joiningObstacle(signature);
    this.#hasRows = obstacle === undefined;
    if (obstacle !== undefined && this.#options.batching !== undefined) this.#stopJoining(obstacle);
  }

  #stopJoining(why: string): void {
    this.#options.log.warn({ why }, "the requests of the version cannot be joined into batches: each runs alone");
    this.#batcher.stopJoining();
  }

  /** What is loaded only after the stop began is stopped here: nobody else knows of it. */
  async #add(instance: Instance, threads: number): Promise<void> {
    if (this.#stopping) return instance.stop();
    this.#live.add(instance);
    this.#idle.push(instance);
    void instance.ended.then((why) => this.#lose(instance, threads, why));
    this.#dispatch();
  }

  #dispatch(): void {
    this.#batcher.dispatch();
    if (this.#isIdle()) this.#whenIdle?.();
  }

  async #runOn(instance: Instance, batch: readonly PendingRequest[]): Promise<void> {
    const { observer, clock } = this.#options;
    const isThere = await runBatch(batch, {
      run: (inputs, outputNames) => this.#measured(instance.run(inputs, outputNames)),
      onRowMismatch: ({ message }) => this.#stopJoining(message),
      observer,
      clock,
    });
    if (!isThere) return;
    this.#idle.push(instance);
    this.#dispatch();
  }

  async #measured(running: Promise<RunResult>): Promise<RunResult> {
    const { clock } = this.#options;
    const beginMs = clock.monotonicMs();
    const result = await running;
    this.#batcher.noteRun(clock.monotonicMs() - beginMs);
    this.#failureCount = 0;
    return result;
  }

  #lose(instance: Instance, threads: number, why: string): void {
    this.#live.delete(instance);
    const index = this.#idle.indexOf(instance);
    if (index >= 0) this.#idle.splice(index, 1);
    if (this.#stopping) {
      if (this.#live.size === 0) this.#batcher.rejectAll(sessionsLost());
      if (this.#isIdle()) this.#whenIdle?.();
      return;
    }
    this.#options.log.error({ why }, "a session was lost and will be replaced");
    this.#replaceLater(threads);
  }

  #replaceLater(threads: number): void {
    const { clock, restart, random } = this.#options;
    this.#failureCount++;
    clock.after(backOffMs(this.#failureCount, restart, random()), () => {
      const replacing = this.#replace(threads).finally(() => this.#replacing.delete(replacing));
      this.#replacing.add(replacing);
    });
  }

  async #replace(threads: number): Promise<void> {
    if (this.#stopping) return;
    try {
      await this.#add(await this.#options.startInstance(threads), threads);
    } catch (failure) {
      this.#options.log.error({ why: messageOf(failure) }, "a lost session could not be replaced yet");
      if (this.#live.size === 0) this.#batcher.rejectAll(sessionsLost());
      if (!this.#stopping) this.#replaceLater(threads);
    }
  }

  #isIdle(): boolean {
    return this.#batcher.length === 0 && this.#idle.length === this.#live.size;
  }
}

/** Nobody knows how long the run takes that others are held back for. */
const heldRetryDelayMs = 100;

function sessionsLost(): ServiceError {
  return new ServiceError("WORKER_LOST", "every session of the version was lost; they are being replaced");
}
