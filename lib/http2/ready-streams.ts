import type { Stream } from "./stream.ts";

/** The streams of a connection that have something to send, in their order. */
export class ReadyStreams {
  #first: Stream | undefined;
  #last: Stream | undefined;

  get first(): Stream | undefined {
    return this.#first;
  }

  /** Does nothing where it is there already, or has nothing to send. */
  add(stream: Stream): void {
    if (stream.isReady || !stream.hasToSend) return;
    stream.isReady = true;
    if (this.#last === undefined) this.#first = stream;
    else this.#last.next = stream;
    this.#last = stream;
  }

  removeFirst(): void {
    const first = this.#first;
    if (first === undefined) return;
    this.#first = first.next;
    if (this.#first === undefined) this.#last = undefined;
    first.next = undefined;
    first.isReady = false;
  }
}
