import type { OutgoingHttpHeaders } from "node:http2";
import type { Receiver } from "../call/call.ts";
import type { CallEnd } from "../call/call-end.ts";
import { endOfLoss } from "../call/call-end.ts";
import type { KeptAnswer } from "./kept-answer.ts";

/** Takes the answer to a copy, which nobody else waits for. */
export class MirrorReceiver implements Receiver {
  readonly #answer: KeptAnswer;
  readonly #listeners = new Set<(why: CallEnd) => void>();
  #over: CallEnd | undefined;

  constructor(answer: KeptAnswer) {
    this.#answer = answer;
  }

  onOver(listener: (why: CallEnd) => void): () => void {
    if (this.#over !== undefined) listener(this.#over);
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  respond(headers: OutgoingHttpHeaders): void {
    this.#answer.begin(headers);
  }

  write(bytes: Buffer): boolean {
    this.#answer.add(bytes);
    return true;
  }

  /** Waits no longer. */
  giveUp(why: string): void {
    this.#over ??= endOfLoss(why);
    for (const listener of [...this.#listeners]) listener(this.#over);
  }
}
