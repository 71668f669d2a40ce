import type { OutgoingHttpHeaders } from "node:http2";
import type { Call } from "../call/call.ts";
import type { CallEnd } from "../call/call-end.ts";
import type { KeptAnswer } from "./kept-answer.ts";

/** A call as it is, whose answer is also kept. */
export class WatchedCall implements Call {
  readonly #call: Call;
  readonly #answer: KeptAnswer;

  constructor(call: Call, answer: KeptAnswer) {
    this.#call = call;
    this.#answer = answer;
  }

  get path(): string {
    return this.#call.path;
  }

  get headers(): Call["headers"] {
    return this.#call.headers;
  }

  get requestId(): string {
    return this.#call.requestId;
  }

  get arrivedMs(): number {
    return this.#call.arrivedMs;
  }

  get deadlineMs(): number {
    return this.#call.deadlineMs;
  }

  get over(): CallEnd | undefined {
    return this.#call.over;
  }

  presetTimeout(ms: number): void {
    this.#call.presetTimeout(ms);
  }

  onOver(listener: (why: CallEnd) => void): () => void {
    return this.#call.onOver(listener);
  }

  respond(headers: OutgoingHttpHeaders): void {
    this.#answer.begin(headers);
    this.#call.respond(headers);
  }

  write(bytes: Buffer, onDrained: () => void): boolean {
    this.#answer.add(bytes);
    return this.#call.write(bytes, onDrained);
  }

  end(end: CallEnd, headers?: OutgoingHttpHeaders): void {
    this.#call.end(end, headers);
  }
}
