import { setMaxListeners } from "node:events";

/** How much of a stream may be in flight at the same time; one request always may. */
export interface WindowBounds {
  readonly requestsMax: number;
  /** Bytes of requests, and of the one response of each that waits for its turn. */
  readonly bytesMax: number;
}

/** What a window has to know of responses. */
export interface ResponseFacts<Response> {
  bytes(response: Response): number;
  /** Whether it waits for the requests before its own to be answered, as the whole request then does. */
  waitsInOrder(response: Response): boolean;
}

/**
 * The requests of one stream that are not answered yet. They run side by side, each as far as its next response; what they
 * answer comes in the order in which they were added, except from requests whose responses wait for nobody.
 */
export class StreamWindow<Response> {
  readonly #bounds: WindowBounds;
  readonly #facts: ResponseFacts<Response>;
  readonly #turns: Turn<Response>[] = [];
  readonly #abandoned = new AbortController();
  #bytes = 0;
  #addedCount = 0;
  #isClosed = false;
  /** Settled by every change, and then replaced. */
  #changed = signalled();

  /** `caller` is aborted when nobody waits for answers any longer. */
  constructor(bounds: WindowBounds, facts: ResponseFacts<Response>, caller: AbortSignal) {
    this.#bounds = bounds;
    this.#facts = facts;
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
    const turn = { bytes, iterator, waitsInOrder: true, answer: undefined };
    this.#addedCount++;
    this.#turns.push(turn);
    this.#bytes += bytes;
    this.#ask(turn);
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
    try {
      while (!this.signal.aborted) {
        const turn = this.#answered();
        if (turn !== undefined) yield* this.#take(turn);
        else if (this.#isClosed && this.#turns.length === 0) return;
        else await this.#changed.promise;
      }
    } finally {
      // Nobody hears any longer what becomes of them.
      for (const { iterator } of this.#turns) iterator.return?.().catch(() => undefined);
    }
  }

  /** The first request that has an answer which need not wait for another one. */
  #answered(): Turn<Response> | undefined {
    const first = this.#turns.find(({ waitsInOrder }) => waitsInOrder);
    return this.#turns.find((turn) => turn.answer !== undefined && (!turn.waitsInOrder || turn === first));
  }

  async *#take(turn: Turn<Response>): AsyncGenerator<Response> {
    const { done, value } = await turn.answer!;
    if (done) {
      this.#turns.splice(this.#turns.indexOf(turn), 1);
      return this.#grow(turn, -turn.bytes);
    }
    yield value;
    this.#grow(turn, -this.#facts.bytes(value));
    this.#ask(turn);
  }

  /** Asks a request for its next response. */
  #ask(turn: Turn<Response>): void {
    turn.answer = undefined;
    const next = turn.iterator.next();
    const heard = () => {
      turn.answer = next;
      this.#change();
    };
    next.then(({ done, value }) => {
      if (!done) {
        turn.waitsInOrder &&= this.#facts.waitsInOrder(value);
        this.#grow(turn, this.#facts.bytes(value));
      }
      heard();
    }, heard);
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
  waitsInOrder: boolean;
  /** The response that was asked for, or what else has come; undefined until it has. */
  answer: Promise<IteratorResult<Response>> | undefined;
}

function signalled() {
  let settle!: () => void;
  const promise = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return { promise, settle };
}
