import type { OutgoingHttpHeaders } from "node:http2";
import { ServiceError } from "../errors.ts";
import type { Stream, StreamListener } from "../http2/stream.ts";
import { encodings } from "./expand.ts";
import { framed, prefixOf } from "./framing.ts";
import { statusOf } from "./status.ts";
import { statusHeaders } from "./status-headers.ts";

/** The answer to a call: its messages, then how it ended. Nothing is sent after the end. */
export class Answer {
  readonly #stream: Stream;
  readonly #messageBytesMax: number;
  #hasBegun = false;
  #isOver = false;

  constructor(stream: Stream, messageBytesMax: number) {
    this.#stream = stream;
    this.#messageBytesMax = messageBytesMax;
  }

  /** Whether it has ended. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Sends a message, which must not be changed any longer; answers whether more are welcome. Throws RESPONSE_TOO_LARGE. */
  send(message: Buffer): boolean {
    const { length } = message;
    if (length > this.#messageBytesMax) {
      const text = `the answer has a message of ${length} bytes; needed: at most ${this.#messageBytesMax}`;
      throw new ServiceError("RESPONSE_TOO_LARGE", text);
    }
    if (length <= joinedBytesMax) return this.sendFramed(framed(message));
    this.sendFramed(prefixOf(length));
    return this.#stream.write(message);
  }

  /** As `send`, of messages with the bytes before each. */
  sendFramed(bytes: Buffer): boolean {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#stream.respond(head);
    }
    return this.#stream.write(bytes);
  }

  /** All went well. */
  end(): void {
    this.#end(ok);
  }

  /** Ends it with the status of what was thrown; see `statusOf`. */
  fail(thrown: unknown): void {
    this.#end(statusHeaders(statusOf(thrown)));
  }

  #end(trailers: OutgoingHttpHeaders): void {
    this.#isOver = true;
    this.#stream.end(this.#hasBegun ? trailers : { ...head, ...trailers });
  }
}

/** Answers a call with nothing but a status, and hears no more of it. */
export function refuse(stream: Stream, thrown: unknown): StreamListener {
  new Answer(stream, 0).fail(thrown);
  return nobody;
}

/** Takes no notice. */
export const nobody: StreamListener = {
  onHeaders: () => undefined,
  onData: () => undefined,
  onClose: () => undefined,
};

/** Messages are sent as they are. */
const head = {
  ":status": "200",
  "content-type": "application/grpc+proto",
  "grpc-encoding": "identity",
  "grpc-accept-encoding": ["identity", ...encodings].join(),
};
const ok = { "grpc-status": "0" };

/** Larger messages are sent behind the bytes before them rather than copied. */
const joinedBytesMax = 16 * 1024;
