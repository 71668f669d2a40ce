import { setMaxListeners } from "node:events";

/** How much of a stream may be in flight at the same time; one request always may. */
export interface WindowBounds {
  readonly requestsMax: number;
  /** Bytes of requests, and of first responses that wait for their turn. */
  readonly bytesMax: number;
}

/**
 * The requests of one stream that are not answered yet. They run side by side, each as far as its first response; what they
 * answer comes in the order in which they were added.
 */
export class StreamWindow<Response> {
  readonly #bounds: WindowBounds;
  readonly #sizeOf: (response: Response) => number;
  readonly #turns: Turn<Response>[] = [];
  readonly #abandoned = new AbortController();
  #bytes = 0;
  #addedCount = 0;
  #isClosed = false;
  /** Settled by every change, and then replaced. */
  #changed = signalled();

  /** `caller` is aborted when nobody waits for answers any longer. */
  constructor(bounds: WindowBounds, sizeOf: (response: Response) => number, caller: AbortSignal) {
    this.#bounds = bounds;
    this.#sizeOf = sizeOf;
    // Every request in flight listens.
    setMaxListeners(0, this.#abandoned.signal);
    caller.addEventListener("abort", () => this.abandon(caller.reason), { once: true });
    if (caller.aborted) this.abandon(caller.reason);
  }

  /** Aborted when nobody waits for answers any longer. */
  get signal(): AbortSignal {
    return this.#abandoned.signal;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The requests that were added, ever. */
  get addedCount(): number {
    return this.#addedCount;
  }

  /** Settles when one more request may be added, or none will. */
  async room(): Promise<void> {
    const { requestsMax, bytesMax } = this.#bounds;
    const isFull = () => this.#turns.length >= requestsMax || (this.#turns.length > 0 && this.#bytes >= bytesMax);
    while (isFull() && !this.#isClosed) await this.#changed.promise;
  }

  /** Starts a request of so many bytes. */
  add(bytes: number, responses: AsyncIterable<Response>): void {
    const iterator = responses[Symbol.asyncIterator]();
    const turn = { bytes, iterator, first: iterator.next() };
    this.#addedCount++;
    this.#turns.push(turn);
    this.#bytes += bytes;
    turn.first.then(
      ({ done, value }) => {
        if (!done) this.#grow(turn, this.#sizeOf(value));
      },
      // It is heard when its turn has come.
      () => undefined,
    );
    this.#change();
  }

  /** Says that nothing more will be added. */
  close(): void {
    this.#isClosed = true;
    this.#change();
  }

  /** Gives up everything that is not answered yet. */
  abandon(why?: unknown): void {
    this.#abandoned.abort(why);
    this.close();
  }

  /** All answers; ends once it is closed and empty, or abandoned. Throws what a request throws. */
  async *answers(): AsyncGenerator<Response> {
    while (!this.signal.aborted) {
      const turn = this.#turns[0];
      if (turn !== undefined) {
        for (let next = await turn.first; !next.done; next = await turn.iterator.next()) yield next.value;
        this.#turns.shift();
        this.#grow(turn, -turn.bytes);
      } else if (this.#isClosed) {
        return;
      } else {
        await this.#changed.promise;
      }
    }
  }

  #grow(turn: Turn<Response>, bytes: number): void {
    turn.bytes += bytes;
    this.#bytes += bytes;
    this.#change();
  }

  #change(): void {
    const { settle } = this.#changed;
    this.#changed = signalled();
    settle();
  }
}

interface Turn<Response> {
  bytes: number;
  readonly iterator: AsyncIterator<Response>;
  readonly first: Promise<IteratorResult<Response>>;
}

function signalled() {
  let settle!: () => void;
  const promise = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return { promise, settle };
}
