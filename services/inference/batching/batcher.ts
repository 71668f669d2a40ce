import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { type BatchSettings, priorityOf, runsInOrder, timeoutMsOf, withoutDelay } from "./batch-settings.ts";
import type { Occupancy } from "./occupancy.ts";
import { type PlannedRequest, planBatch } from "./plan.ts";
import { type QueuedRequest, RequestQueue } from "./request-queue.ts";

/** What a batcher is made of. */
export interface BatcherOptions<Request> {
  readonly settings: BatchSettings;
  /** Where what waits counts. */
  readonly occupancies: readonly Occupancy[];
  readonly clock: Clock;
  /** Instances that would run a batch at once. */
  readonly freeCount: () => number;
  /** All instances. */
  readonly instanceCount: () => number;
  /** Calls back when all requests are there that have arrived together. */
  readonly soon: (callback: () => void) => void;
  /** Called when requests wait and no instance is free. */
  readonly onWait: () => void;
  /** Takes a batch to a free instance, which is free no longer when this returns. */
  readonly run: (batch: readonly Request[]) => void;
  /** Requests that busy instances have been given and have not begun. */
  readonly aheadCount: () => number;
  /** Whether a busy instance would take one. */
  readonly takesAhead: () => boolean;
  /** Takes a request to it, which takes no other then. Until `noteBegun` is called the request counts as one that waits. */
  readonly runAhead: (request: Request) => void;
}

/** A request on its way into a batch. */
export interface BatchedRequest extends QueuedRequest, PlannedRequest {
  /** 1 is the highest; 0 where it names none. */
  readonly priority: number;
  /** In milliseconds since 1970, or Infinity. */
  readonly deadlineMs: number;
  sendByMs: number;
}

/** Joins requests into batches for instances that become free; what cannot be run yet waits in a bounded queue. */
export class Batcher<Request extends BatchedRequest> {
  readonly #options: BatcherOptions<Request>;
  readonly #queue: RequestQueue<Request>;
  #settings: BatchSettings;
  /** A running mean of the time of a batch. */
  #runMs = 1;
  #cancelWake: () => void = () => undefined;
  #isAboutToDispatch = false;

  constructor(options: BatcherOptions<Request>) {
    this.#options = options;
    this.#settings = options.settings;
    const { queuePolicies, maxBatchSize } = options.settings;
    this.#queue = new RequestQueue(options.occupancies, queuePolicies, options.clock);
    this.#queue.batchRowsMax = maxBatchSize;
  }

  /** Requests that wait. */
  get length(): number {
    return this.#queue.length;
  }

  /**
   * Runs a request as soon as it should be.
   *
   * Throws TENSOR_INVALID where it is larger than a batch, QUEUE_FULL where it would exceed a bound, and DEADLINE_EXCEEDED where
   * it would not be answered in time.
   */
  add(request: Request): void {
    const { freeCount, run } = this.#options;
    const { requestRowsMax, maxBatchSize } = this.#settings;
    if (request.rowCount > requestRowsMax) throw tooLarge(request.rowCount, requestRowsMax);
    const priority = priorityOf(request.priority, this.#settings);
    // While an instance is free nothing is refused: what waits for company goes without it.
    while (freeCount() > 0 && this.length > 0 && this.#queue.obstacle(request, priority) !== undefined) {
      this.#sendNext(withoutDelay(this.#settings));
    }
    if (freeCount() === 0) {
      this.#refuseSurplus(request, priority);
      this.#refuseHopeless(request, priority);
      this.#wait(request, priority);
      this.#sendAhead();
      this.#options.onWait();
    } else if (this.length > 0 || (maxBatchSize > 1 && this.#queue.obstacle(request, priority) === undefined)) {
      this.#wait(request, priority);
      this.#dispatchSoon();
    } else run([request]);
  }

  /** Takes a request out that no longer wants to be run, if it still waits. */
  remove(request: Request): void {
    this.#queue.remove(request);
  }

  /** Gives free instances what should be run now. To be called when an instance has become free. */
  dispatch(): void {
    const { freeCount, clock } = this.#options;
    this.#cancelWake();
    while (freeCount() > 0 && this.length > 0) {
      const untilMs = this.#sendNext(this.#settings);
      if (untilMs === undefined) continue;
      this.#cancelWake = clock.after(Math.max(1, Math.ceil(untilMs - clock.now())), () => this.dispatch());
      return;
    }
    this.#sendAhead();
    if (this.length > 0) this.#options.onWait();
  }

  /** What has arrived together is joined though it need not wait. */
  #dispatchSoon(): void {
    if (this.#isAboutToDispatch) return;
    this.#isAboutToDispatch = true;
    this.#options.soon(() => {
      this.#isAboutToDispatch = false;
      this.dispatch();
    });
  }

  /** Notes how long a batch has run, for the estimates. */
  noteRun(durationMs: number): void {
    this.#runMs += (durationMs - this.#runMs) / 8;
  }

  /** Notes that a request waits no longer that was given to a busy instance: it has begun, or will not. */
  noteBegun(request: Request): void {
    this.#queue.release(request);
  }

  /** Runs a request that was lost on its way before all others, for which it needs no room in the queue a second time. */
  addAgain(request: Request): void {
    request.sendByMs = this.#options.clock.now();
    this.#queue.pushAgain(request);
  }

  /** Waits for company no longer, since none will come. */
  drain(): void {
    this.use(withoutDelay(this.#settings));
  }

  /** Joins requests otherwise from now on; priorities and queue policies stay. */
  use(settings: BatchSettings): void {
    this.#settings = settings;
    this.#queue.batchRowsMax = settings.maxBatchSize;
    this.dispatch();
  }

  /** Refuses everything that waits, or that of it which is meant. */
  rejectAll(fault: ServiceError, isMeant: (request: Request) => boolean = () => true): void {
    for (const request of this.#queue.inOrder()) {
      if (!isMeant(request)) continue;
      this.#queue.remove(request);
      request.reject(fault);
    }
  }

  /** Sends the next batch. Undefined where something has left the queue; otherwise when a batch should be sent. */
  #sendNext(settings: BatchSettings): number | undefined {
    const nowMs = this.#options.clock.now();
    const plan = planBatch(this.#queue.inOrder(), settings, nowMs);
    if (plan.kind === "wait") return plan.untilMs;
    for (const request of plan.batch) this.#queue.remove(request);
    // Where the event loop was late, timers are too.
    const isLate = ({ deadlineMs }: Request) => deadlineMs <= nowMs;
    for (const request of plan.batch.filter(isLate)) request.reject(deadlinePassed());
    const inTime = plan.batch.filter((request) => !isLate(request));
    if (inTime.length > 0) this.#options.run(inTime);
    return undefined;
  }

  /** Sends the next request to a busy instance, where it would be the next run also if it waited, whatever comes. */
  #sendAhead(): void {
    if (this.length === 0 || !runsInOrder(this.#settings) || !this.#options.takesAhead()) return;
    const [next] = this.#queue.inOrder();
    if (next.inputBytes > aheadBytesMax) return;
    this.#queue.handOver(next);
    this.#options.runAhead(next);
  }

  /** For company it waits for half of the time at most that its deadline leaves to spare, and not until it would be refused. */
  #wait(request: Request, priority: number): void {
    const nowMs = this.#options.clock.now();
    const { maxQueueDelayMs, queuePolicies } = this.#settings;
    const policy = queuePolicies[priority - 1];
    const spareMs = Math.max(0, request.deadlineMs - nowMs - this.#runMs);
    const untilRefusalMs = policy.timeoutAction === "REJECT" ? timeoutMsOf(request.timeoutMs, policy) - 1 : Infinity;
    request.sendByMs = nowMs + Math.min(maxQueueDelayMs, Math.floor(spareMs / 2), untilRefusalMs);
    this.#queue.push(request, priority);
  }

  #refuseSurplus(request: Request, priority: number): void {
    const obstacle = this.#queue.obstacle(request, priority);
    if (obstacle === undefined) return;
    const retryDelayMs = Math.min(retryDelayMsMax, Math.max(1, Math.ceil(this.#untilRunMs(Infinity))));
    throw new ServiceError("QUEUE_FULL", `Exceeds maximum queue size: ${obstacle}`, { retryDelayMs });
  }

  #refuseHopeless(request: Request, priority: number): void {
    const leftMs = request.deadlineMs - this.#options.clock.now();
    const neededMs = this.#untilRunMs(priority) + this.#runMs;
    if (leftMs >= neededMs) return;
    const message = `the deadline cannot be met: ${leftMs} ms are left and about ${Math.ceil(neededMs)} ms are needed`;
    throw new ServiceError("DEADLINE_EXCEEDED", message);
  }

  /** How long a new request of a priority waits at least, if runs take as long as they do. */
  #untilRunMs(priority: number): number {
    const { requests, rows } = this.#queue.ahead(priority);
    const { maxBatchSize } = this.#settings;
    const batchCount = maxBatchSize === 1 ? requests : Math.floor(rows / maxBatchSize);
    return (
      Math.floor((batchCount + this.#options.aheadCount()) / Math.max(1, this.#options.instanceCount())) * this.#runMs
    );
  }
}

const retryDelayMsMax = 10_000;

/** What is given ahead is copied, so that it can be taken back. */
const aheadBytesMax = 1024 ** 2;

/** The fault of a request whose deadline came before its answer. */
export function deadlinePassed(): ServiceError {
  return new ServiceError("DEADLINE_EXCEEDED", "the deadline passed before the request was answered");
}

function tooLarge(rowCount: number, requestRowsMax: number): ServiceError {
  const message = `inference request batch-size must be <= ${requestRowsMax}; it is ${rowCount}`;
  return new ServiceError("TENSOR_INVALID", message);
}
