import type { Clock } from "../../../lib/clock.ts";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import type { Log } from "../../../lib/log.ts";
import type { Signature, Tensor } from "../../../lib/tensor.ts";
import { type BackOff, backOffMs } from "../back-off.ts";
import type { InferenceJob } from "../tensors/decode.ts";
import type { Instance } from "./instance.ts";
import { type CallLimits, PendingRequest } from "./pending-request.ts";
import { type QueueBounds, RequestQueue } from "./request-queue.ts";

/** What a pool is made of. */
export interface PoolOptions {
  /** Threads of the runtime inside one operator, for each session of the model; at least one. */
  readonly sessionThreads: readonly number[];
  readonly queue: QueueBounds;
  /** Waits before a lost instance is replaced. */
  readonly restart: BackOff;
  /** Loads one more instance. */
  readonly startInstance: (intraOpThreads: number) => Promise<Instance>;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/** The instances of one replica behind one bounded queue. An instance that dies is replaced. */
export class InstancePool {
  readonly #options: PoolOptions;
  readonly #queue: RequestQueue<PendingRequest>;
  readonly #live = new Set<Instance>();
  readonly #idle: Instance[] = [];
  #failureCount = 0;
  #runMs = 1;
  #stopping = false;
  #whenIdle: (() => void) | undefined;
  readonly #replacing = new Set<Promise<void>>();
  #stopped: Promise<void> | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#queue = new RequestQueue(options.queue);
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
   * Runs a job on the next free instance, in the order of arrival. A caller that goes away leaves the queue at once; the
   * result of a job that is already running is then dropped.
   *
   * Rejects with DEADLINE_EXCEEDED, QUEUE_FULL, WORKER_LOST, MODEL_NOT_READY, or the fault of the session.
   */
  async run(job: InferenceJob, limits: CallLimits): Promise<readonly Tensor[]> {
    limits.signal.throwIfAborted();
    if (limits.deadlineMs <= this.#options.clock.now()) throw deadlinePassed();
    if (this.#stopping) throw new ServiceError("MODEL_NOT_READY", "the version is being unloaded");
    if (this.#live.size === 0 && this.#failureCount > 1) throw sessionsLost();
    const request = new PendingRequest(job, limits, (abandoned) => this.#queue.remove(abandoned));
    this.#admit(request);
    return request.outputs;
  }

  /** Takes no more jobs, finishes those that it has, then frees every session. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#replacing);
    if (this.#live.size === 0) this.#rejectQueue(sessionsLost());
    if (!this.#isIdle()) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    await Promise.all([...this.#live].map((instance) => instance.stop()));
  }

  #admit(request: PendingRequest): void {
    const free = this.#idle.shift();
    if (free !== undefined) {
      void this.#runOn(free, request);
      return;
    }
    try {
      this.#queue.push(request, this.#retryDelayMs());
    } catch (full) {
      request.reject(full);
    }
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
    while (this.#idle.length > 0) {
      const request = this.#queue.shift();
      if (request === undefined) break;
      if (request.deadlineMs <= this.#options.clock.now()) request.reject(deadlinePassed());
      else void this.#runOn(this.#idle.shift()!, request);
    }
    if (this.#isIdle()) this.#whenIdle?.();
  }

  async #runOn(instance: Instance, request: PendingRequest): Promise<void> {
    const begin = this.#options.clock.now();
    try {
      const { inputs, outputNames } = request.job;
      request.resolve(await instance.run(inputs, outputNames));
      this.#failureCount = 0;
    } catch (failure) {
      request.reject(failure);
      if (failure instanceof ServiceError && failure.reason === "WORKER_LOST") return;
    }
    this.#runMs += (this.#options.clock.now() - begin - this.#runMs) / 8;
    this.#idle.push(instance);
    this.#dispatch();
  }

  #lose(instance: Instance, threads: number, why: string): void {
    this.#live.delete(instance);
    const index = this.#idle.indexOf(instance);
    if (index >= 0) this.#idle.splice(index, 1);
    if (this.#stopping) {
      if (this.#live.size === 0) this.#rejectQueue(sessionsLost());
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
      if (this.#live.size === 0) this.#rejectQueue(sessionsLost());
      if (!this.#stopping) this.#replaceLater(threads);
    }
  }

  #rejectQueue(fault: ServiceError): void {
    for (let request = this.#queue.shift(); request !== undefined; request = this.#queue.shift()) request.reject(fault);
  }

  #isIdle(): boolean {
    return this.#queue.length === 0 && this.#idle.length === this.#live.size;
  }

  /** When the queue should be empty if nothing else comes. */
  #retryDelayMs(): number {
    const untilEmptyMs = (this.#queue.length * this.#runMs) / Math.max(1, this.#live.size);
    return Math.min(retryDelayMsMax, Math.max(1, Math.ceil(untilEmptyMs)));
  }
}

const retryDelayMsMax = 10_000;

function deadlinePassed(): ServiceError {
  return new ServiceError("DEADLINE_EXCEEDED", "the deadline passed before the request was run");
}

function sessionsLost(): ServiceError {
  return new ServiceError("WORKER_LOST", "every session of the version was lost; they are being replaced");
}
