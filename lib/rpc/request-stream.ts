import type { Stream } from "../http2/stream.ts";

/** The requests of a call that has many, at the speed of who reads them: nothing is taken before one is asked for. */
export class RequestStream<Request> implements AsyncIterable<Request> {
  readonly #stream: Stream;
  readonly #read: (frame: Buffer) => Request | Promise<Request>;
  /** Those that came in one piece. */
  readonly #frames: Buffer[] = [];
  #state: "open" | "ended" | "failed" = "open";
  #failure: unknown;
  #wake: () => void = () => undefined;

  /** `read` makes the request of a message. */
  constructor(stream: Stream, read: (frame: Buffer) => Request | Promise<Request>) {
    this.#stream = stream;
    this.#read = read;
    stream.pause();
  }

  push(frame: Buffer): void {
    this.#frames.push(frame);
    this.#stream.pause();
    this.#wake();
  }

  /** There are no more. */
  end(): void {
    this.#state = "ended";
    this.#wake();
  }

  /** The call is over before they are: who reads on is told why. */
  fail(failure: unknown): void {
    this.#state = "failed";
    this.#failure = failure;
    this.#frames.length = 0;
    this.#wake();
  }

  /** Throws what `read` throws, and where the call is over. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Request> {
    for (;;) {
      if (this.#frames.length === 0 && this.#state === "open") this.#stream.resume();
      const frame = this.#frames.shift();
      if (frame !== undefined) yield this.#read(frame);
      else if (this.#state === "failed") throw this.#failure;
      else if (this.#state === "ended") return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
