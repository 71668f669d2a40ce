import { ServiceError } from "../../../lib/errors.ts";
import type { Signature, Tensor } from "../../../lib/tensor.ts";
import { AnswerOrder } from "../batching/answer-order.ts";
import { type BatchSettings, priorityOf, unbatched, unjoined } from "../batching/batch-settings.ts";
import { Batcher, deadlinePassed } from "../batching/batcher.ts";
import { Occupancy, type QueueBounds } from "../batching/occupancy.ts";
import { type CallLimits, PendingRequest } from "../batching/pending-request.ts";
import { failureKindOf, type PoolObserver } from "../batching/pool-observer.ts";
import { bucketOf, joiningObstacle, rowCountOf } from "../batching/rows.ts";
import type { InferenceJob } from "../tensors/decode.ts";
import { hasGone } from "../tensors/held-tensor.ts";
import type { Instance } from "./instance.ts";
import { InstanceSet, type InstanceSettings } from "./instance-set.ts";
import { PoolRuns } from "./pool-runs.ts";

/** What a pool is made of. */
export interface PoolOptions extends InstanceSettings {
  readonly queue: QueueBounds;
  /** What waits on the whole node. */
  readonly nodeQueue: Occupancy;
  /** How requests are joined; undefined where each runs alone. */
  readonly batching: BatchSettings | undefined;
  /** Finds the number of rows to join; called once, with an instance that does nothing else, where the settings leave it open. */
  readonly findBatchSize: (instance: Instance) => Promise<number>;
  /** Calls back when all requests are there that have arrived together. */
  readonly soon: (callback: () => void) => void;
  /** How long a caller waits that does not say; Infinity for ever. */
  readonly defaultTimeoutMs: number;
  /** Called once, when so many instances have died that the pool takes nothing more. */
  readonly onQuarantine: (why: string) => void;
  /** Called when an instance was lost, and what it kept on its device with it. */
  readonly onLost: () => void;
  readonly observer: PoolObserver;
}

/** What a pool holds at a moment. */
export interface PoolUsage {
  /** Sessions that are loaded. */
  readonly instanceCount: number;
  /** Those of them that are in processes of their own. */
  readonly processCount: number;
  /** Sessions that were lost since the pool was started. */
  readonly lostCount: number;
  /** Those of them that still take memory, and maybe a core, since they do not come back. */
  readonly leftBehindCount: number;
  readonly waitingRequests: number;
  readonly waitingRows: number;
  /** Of inputs. */
  readonly waitingBytes: number;
}

/** The instances of one replica behind one batcher. */
export class InstancePool {
  readonly #options: PoolOptions;
  readonly #queue: Occupancy;
  readonly #batcher: Batcher<PendingRequest>;
  readonly #instances: InstanceSet;
  readonly #runs: PoolRuns;
  /** By priority, where the order of answers is kept. */
  readonly #orders: readonly AnswerOrder[];
  readonly #onAbandon = (abandoned: PendingRequest) => this.#batcher.remove(abandoned);
  #settings: BatchSettings;
  #hasRows = false;
  #kept: readonly string[] = [];
  #arrivals = 0;
  /** Why nothing more is taken. */
  #end: ServiceError | undefined;
  #whenIdle: (() => void) | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#settings = options.batching ?? unbatched;
    this.#queue = new Occupancy(options.queue);
    this.#batcher = new Batcher({
      settings: this.#settings,
      occupancies: [this.#queue, options.nodeQueue],
      clock: options.clock,
      freeCount: () => this.#instances.freeCount,
      instanceCount: () => this.#instances.count,
      soon: options.soon,
      onWait: () => this.#instances.awaitCores(),
      run: (batch) => this.#runs.run(batch),
      aheadCount: () => this.#instances.aheadCount,
      takesAhead: () => this.#instances.takesAhead,
      runAhead: (request) => this.#runs.runAhead(request),
    });
    this.#instances = new InstanceSet({
      ...options,
      examine: (first) => this.#examine(first),
      onFree: () => this.#dispatch(),
      onLost: () => this.#noteLoss(),
      onQuarantine: (why) => this.#quarantine(why),
    });
    this.#runs = new PoolRuns({
      instances: this.#instances,
      onRan: (durationMs) => this.#batcher.noteRun(durationMs),
      onBegun: (request) => this.#batcher.noteBegun(request),
      onEnd: () => this.#dispatch(),
      onUnjoinable: (why) => this.#stopJoining(why),
      onAgain: (request, fault) => this.#queueAgain(request, fault),
      lostFault: sessionsLost,
      observer: options.observer,
      clock: options.clock,
    });
    this.#orders = this.#settings.preserveOrdering ? this.#settings.queuePolicies.map(() => new AnswerOrder()) : [];
  }

  /** What there is at the moment. */
  get usage(): PoolUsage {
    const { requests, rows, bytes } = this.#queue;
    const { count, processCount, lostCount, leftBehindCount } = this.#instances;
    const waiting = { waitingRequests: requests, waitingRows: rows, waitingBytes: bytes };
    return { instanceCount: count, processCount, lostCount, leftBehindCount, ...waiting };
  }

  /** How requests are joined, with the batch size that was found. */
  get batching(): BatchSettings {
    return this.#settings;
  }

  /** The outputs that stay on a device where they are wanted by their `heldName`, once it is started. */
  get kept(): readonly string[] {
    return this.#kept;
  }

  /** Loads every instance; see `InstanceSet.start`. Where that fails all that were loaded are stopped. */
  async start(): Promise<Signature> {
    try {
      const signature = await this.#instances.start();
      // They may have died too often meanwhile.
      if (this.#end !== undefined) throw this.#end;
      return signature;
    } catch (failure) {
      await this.stop();
      throw failure;
    }
  }

  /**
   * Runs a job on the next free instance, joined with others where that is set. A caller that goes away leaves the queue at
   * once; the result of a job that is already running is then dropped. A job whose instance dies is run once more, alone.
   *
   * Rejects with DEADLINE_EXCEEDED, QUEUE_FULL, WORKER_LOST, MODEL_NOT_READY, or the fault of the session.
   */
  run(job: InferenceJob, limits: CallLimits): Promise<readonly Tensor[]> {
    const { clock, defaultTimeoutMs } = this.#options;
    const deadlineMs = limits.deadlineMs === Infinity ? clock.now() + defaultTimeoutMs : limits.deadlineMs;
    const order = this.#orders[priorityOf(job.priority, this.#settings) - 1];
    const refusal = this.#refusalOnArrival(job, { signal: limits.signal, deadlineMs }, order);
    if (refusal !== undefined) {
      this.#options.observer.failed(failureKindOf(refusal, false), 0, job.responseIndex);
      return Promise.reject(refusal);
    }
    const request = this.#pending(job, { deadlineMs, signal: limits.signal }, order);
    try {
      this.#batcher.add(request);
    } catch (refusal) {
      request.reject(refusal);
    }
    // Where very many come in one turn of the event loop, one run for each turn would be next to none.
    if (++this.#arrivals % pollEvery === 0 && this.#instances.freeCount === 0) this.#instances.poll();
    return request.outputs;
  }

  /** Takes no more jobs, finishes those that it has, then frees every session. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Settles when nothing of it is in memory any more: after `stop`, and never while a session does not come back from a run. */
  async gone(): Promise<void> {
    await this.stop();
    await this.#instances.gone();
  }

  async #stop(): Promise<void> {
    this.#end ??= new ServiceError("MODEL_NOT_READY", "the version is being unloaded");
    this.#batcher.drain();
    await this.#instances.close();
    if (this.#instances.count === 0) this.#batcher.rejectAll(sessionsLost());
    if (!this.#isIdle) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    await this.#instances.stop();
  }

  /** Why a request is not taken at all. */
  #refusalOnArrival(
    { inputs }: InferenceJob,
    { signal, deadlineMs }: CallLimits,
    order: AnswerOrder | undefined,
  ): unknown {
    if (signal.aborted) return signal.reason;
    if (deadlineMs <= this.#options.clock.now()) return deadlinePassed();
    if (this.#end !== undefined) return this.#end;
    if (this.#instances.isBroken || hasGone(inputs)) return sessionsLost();
    const { requestsMax } = this.#options.queue;
    // What is held back no longer waits in the queue, and is bounded as if it did.
    if (order === undefined || order.heldCount < requestsMax) return undefined;
    const message = `Exceeds maximum queue size: ${order.heldCount} answers wait for earlier ones; at most ${requestsMax} may`;
    return new ServiceError("QUEUE_FULL", message, { retryDelayMs: heldRetryDelayMs });
  }

  #pending(job: InferenceJob, limits: CallLimits, order: AnswerOrder | undefined): PendingRequest {
    const { clock, observer, batching } = this.#options;
    return new PendingRequest(job, {
      deadlineMs: limits.deadlineMs,
      signal: limits.signal,
      rowCount: this.#hasRows ? rowCountOf(job.inputs) : 1,
      bucket: this.#hasRows && batching !== undefined ? bucketOf(job) : undefined,
      order,
      clock,
      observer,
      onAbandon: this.#onAbandon,
    });
  }

  async #examine(first: Instance): Promise<void> {
    const { batching, findBatchSize, log } = this.#options;
    const obstacle = joiningObstacle(first.signature);
    this.#kept = first.kept;
    this.#hasRows = obstacle === undefined;
    if (batching === undefined) return;
    if (obstacle !== undefined) this.#stopJoining(obstacle);
    else if (this.#kept.length > 0) this.#stopJoining(staysOnDevice);
    else if (batching.findsBatchSize) {
      const maxBatchSize = Math.max(await findBatchSize(first), ...batching.preferredBatchSizes);
      this.#settings = { ...batching, maxBatchSize };
      this.#batcher.use(this.#settings);
      log.info({ maxBatchSize }, "found the number of rows to join");
    }
  }

  #stopJoining(why: string): void {
    if (this.#settings.maxBatchSize === 1) return;
    this.#settings = unjoined(this.#settings);
    this.#options.log.warn({ why }, "the requests of the version cannot be joined into batches: each runs alone");
    this.#batcher.use(this.#settings);
  }

  #dispatch(): void {
    this.#batcher.dispatch();
    if (this.#isIdle) this.#whenIdle?.();
  }

  /** Queues what is to be run once more; fails it where no instance will come. */
  #queueAgain(request: PendingRequest, fault: ServiceError): void {
    const isHopeless = this.#end !== undefined && this.#instances.count === 0;
    if (isHopeless || hasGone(request.job.inputs)) request.reject(fault);
    else this.#batcher.addAgain(request);
  }

  #noteLoss(): void {
    this.#batcher.rejectAll(sessionsLost(), ({ job }) => hasGone(job.inputs));
    this.#options.onLost();
    const isForGood = this.#end !== undefined && this.#instances.count === 0;
    if (isForGood || this.#instances.isBroken) this.#batcher.rejectAll(sessionsLost());
    if (this.#end !== undefined && this.#isIdle) this.#whenIdle?.();
  }

  #quarantine(why: string): void {
    this.#end = new ServiceError("WORKER_LOST", `the version is in quarantine: ${why}`);
    this.#batcher.rejectAll(this.#end);
    this.#options.onQuarantine(why);
  }

  get #isIdle(): boolean {
    return this.#batcher.length === 0 && this.#runs.count === 0;
  }
}

/** Requests that arrive before instances are asked whether they have ended a run. */
const pollEvery = 16;

/** Why requests are not joined that take what a session keeps. */
const staysOnDevice = "their states or feedbacks stay on the device";

/** Nobody knows how long the run takes that others are held back for. */
const heldRetryDelayMs = 100;

function sessionsLost(): ServiceError {
  return new ServiceError("WORKER_LOST", "every session of the version was lost; they are being replaced");
}
