import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import { plainQueuePolicy, type QueuePolicy, timeoutMsOf } from "./batch-settings.ts";
import { Line, type Spot } from "./line.ts";
import type { Occupancy, Weighed } from "./occupancy.ts";

/** What a queue knows of a request. */
export interface QueuedRequest extends Weighed {
  /** How long it asks to wait at most; 0 where it does not say. */
  readonly timeoutMs: number;
  /** Where it waits: the queue's own, and undefined while it does not. */
  place?: unknown;
  reject(failure: ServiceError): void;
}

/** The requests of one priority. */
interface Level<Request> {
  readonly policy: QueuePolicy;
  readonly inTime: Line<Request>;
  /** Those that have waited too long and wait on, in the order in which that was. */
  readonly delayed: Line<Request>;
  /** As they take up room in batches. */
  rows: number;
}

/** A request's place. */
interface Place<Request> {
  readonly level: Level<Request>;
  /** One of those of the level, and where it stands there. */
  line: Line<Request>;
  spot: Spot<Request>;
  /** Of a request that is larger than a batch, which is one run, those of a batch. */
  readonly rows: number;
  readonly cancelTimeout: () => void;
}

/** Requests by priority and in the order of arrival, under bounds. Each may wait as long as the policy of its priority says. */
export class RequestQueue<Request extends QueuedRequest> {
  readonly #occupancies: readonly Occupancy[];
  readonly #clock: Clock;
  /** By priority; the first is for those that come again. */
  readonly #levels: readonly Level<Request>[];
  #length = 0;
  /** Rows of a batch, for the estimates. */
  batchRowsMax = 1;

  /** What waits counts in every one of the occupancies; `policies` are those of priority 1 and up. */
  constructor(occupancies: readonly Occupancy[], policies: readonly QueuePolicy[], clock: Clock) {
    this.#occupancies = occupancies;
    this.#clock = clock;
    const levels = [plainQueuePolicy, ...policies];
    this.#levels = levels.map((policy) => ({ policy, inTime: new Line(), delayed: new Line(), rows: 0 }));
  }

  get length(): number {
    return this.#length;
  }

  /** What waits and is run before a new request of a priority: the requests, and the rows that take up room in batches. */
  ahead(priority: number): { readonly requests: number; readonly rows: number } {
    const levels = this.#levels.slice(0, priority + 1);
    return {
      requests: levels.reduce((sum, { inTime, delayed }) => sum + inTime.length + delayed.length, 0),
      rows: levels.reduce((sum, { rows }) => sum + rows, 0),
    };
  }

  /** Which bound a request would exceed; undefined where none. */
  obstacle(request: Request, priority: number): string | undefined {
    const { policy, inTime, delayed } = this.#levels[priority];
    const ofPriority = inTime.length + delayed.length;
    if (policy.maxQueueSize > 0 && ofPriority >= policy.maxQueueSize) {
      return `${ofPriority} requests of priority ${priority} wait; at most ${policy.maxQueueSize} may`;
    }
    for (const occupancy of this.#occupancies) {
      const obstacle = occupancy.obstacle(request);
      if (obstacle !== undefined) return obstacle;
    }
    return undefined;
  }

  /** Puts a request behind all others of its priority; the caller has seen that it meets no obstacle. */
  push(request: Request, priority: number): void {
    const level = this.#levels[priority];
    const timeoutMs = timeoutMsOf(request.timeoutMs, level.policy);
    const cancelTimeout = this.#clock.after(timeoutMs, () => this.#timeOut(request, timeoutMs));
    this.#enter(request, level, cancelTimeout);
  }

  /** Puts a request before all others, whatever the bounds: it has waited before, and there are only as many as were under way. */
  pushAgain(request: Request): void {
    this.#enter(request, this.#levels[0], () => undefined);
  }

  /** Takes a request out, if it is there. */
  remove(request: Request): void {
    if (placeOf(request) === undefined) return;
    this.handOver(request);
    this.release(request);
  }

  /** Takes a request out that is there and waits elsewhere from now on: it goes on counting as one that waits. */
  handOver(request: Request): void {
    const place = placeOf(request)!;
    request.place = undefined;
    place.cancelTimeout();
    place.line.leave(place.spot);
    place.level.rows -= place.rows;
    this.#length--;
  }

  /** Says that a request that was handed over waits no longer. */
  release(request: Request): void {
    for (const occupancy of this.#occupancies) occupancy.leave(request);
  }

  /** The requests in the order in which they should be run. The one that was given last may be removed meanwhile. */
  *inOrder(): Generator<Request> {
    for (const { inTime, delayed } of this.#levels) {
      yield* inTime;
      yield* delayed;
    }
  }

  #enter(request: Request, level: Level<Request>, cancelTimeout: () => void): void {
    const rows = Math.min(request.rowCount, this.batchRowsMax);
    level.rows += rows;
    this.#length++;
    const place: Place<Request> = { level, line: level.inTime, spot: level.inTime.enter(request), rows, cancelTimeout };
    request.place = place;
    for (const occupancy of this.#occupancies) occupancy.enter(request);
  }

  #timeOut(request: Request, timeoutMs: number): void {
    const place = placeOf(request)!;
    const { delayed, policy } = place.level;
    if (policy.timeoutAction === "DELAY") {
      place.line.leave(place.spot);
      place.line = delayed;
      place.spot = delayed.enter(request);
      return;
    }
    this.remove(request);
    request.reject(
      new ServiceError("QUEUE_TIMEOUT", `Request timeout expired: it waited ${timeoutMs} ms, as long as it may`),
    );
  }
}

function placeOf<Request extends QueuedRequest>(request: Request): Place<Request> | undefined {
  return request.place as Place<Request> | undefined;
}
