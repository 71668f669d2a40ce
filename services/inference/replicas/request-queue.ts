import { ServiceError } from "../../../lib/errors.ts";

/** Bounds of a queue. */
export interface QueueBounds {
  /** Requests that wait. */
  readonly requestsMax: number;
  /** Bytes of inputs that wait. */
  readonly bytesMax: number;
}

/** What a request in a queue weighs. */
interface Weighed {
  readonly inputBytes: number;
}

/** Requests in the order of their arrival, bounded by number and by bytes. */
export class RequestQueue<Request extends Weighed> {
  readonly #bounds: QueueBounds;
  readonly #requests = new Set<Request>();
  #bytes = 0;

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds;
  }

  get length(): number {
    return this.#requests.size;
  }

  /** Throws QUEUE_FULL where a bound would be exceeded; `retryDelayMs` goes with it. */
  push(request: Request, retryDelayMs: number): void {
    const { requestsMax, bytesMax } = this.#bounds;
    if (this.#requests.size >= requestsMax) {
      throw full(`${this.#requests.size} requests wait; at most ${requestsMax} may`, retryDelayMs);
    }
    if (this.#bytes + request.inputBytes > bytesMax) {
      throw full(
        `${this.#bytes} bytes wait and the request has ${request.inputBytes}; at most ${bytesMax} may wait`,
        retryDelayMs,
      );
    }
    this.#requests.add(request);
    this.#bytes += request.inputBytes;
  }

  /** Takes the oldest request. */
  shift(): Request | undefined {
    const [oldest] = this.#requests;
    if (oldest !== undefined) this.remove(oldest);
    return oldest;
  }

  /** Takes a request out, if it is there. */
  remove(request: Request): void {
    if (this.#requests.delete(request)) this.#bytes -= request.inputBytes;
  }
}

function full(what: string, retryDelayMs: number): ServiceError {
  return new ServiceError("QUEUE_FULL", `Exceeds maximum queue size: ${what}`, { retryDelayMs });
}
