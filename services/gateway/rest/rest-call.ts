import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import type { Call } from "../call/call.ts";
import { type CallEnd, endOfThrown } from "../call/call-end.ts";
import { checkHeaders } from "../call/header-bounds.ts";
import { Patience } from "../call/patience.ts";
import { MessageSplitter } from "./message-splitter.ts";

/** What a call is made of. */
export interface RestCallOptions {
  /** "/package.Service/Method". */
  readonly path: string;
  /** As gRPC would have them. */
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  /** Largest message of the answer, in bytes. */
  readonly messageBytesMax: number;
  /** Takes a message of the answer; answers whether more are welcome. Otherwise `onDrained` is called when they are. */
  readonly onMessage: (message: Buffer, onDrained: () => void) => boolean;
}

/** A call that came by HTTP/JSON, on its way through the gateway as any other. */
export class RestCall implements Call {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  readonly #onMessage: RestCallOptions["onMessage"];
  readonly #splitter: MessageSplitter;
  readonly #patience = new Patience();
  #answerHeaders: OutgoingHttpHeaders | undefined;

  constructor({ path, headers, requestId, messageBytesMax, onMessage }: RestCallOptions) {
    this.path = path;
    this.headers = headers;
    this.requestId = requestId;
    this.#onMessage = onMessage;
    this.#splitter = new MessageSplitter(messageBytesMax);
  }

  get arrivedMs(): number {
    return this.#patience.arrivedMs;
  }

  get deadlineMs(): number {
    return this.#patience.deadlineMs;
  }

  get over(): CallEnd | undefined {
    return this.#patience.over;
  }

  /** What was said before the messages, or with the end where there were none. */
  get answerHeaders(): OutgoingHttpHeaders {
    return this.#answerHeaders ?? {};
  }

  /** Holds the call to the deadline in its headers, or to the preset, in milliseconds; throws what `Patience` does. */
  begin(presetMs = Infinity): void {
    checkHeaders(this.headers);
    this.#patience.begin(this.headers["grpc-timeout"], presetMs);
  }

  presetTimeout(ms: number): void {
    this.#patience.preset(ms);
  }

  onOver(listener: (why: CallEnd) => void): () => void {
    return this.#patience.onOver(listener);
  }

  /** Ends what is under way for the call, since it is to end like that. */
  giveUp(end: CallEnd): void {
    this.#patience.giveUp(end);
  }

  respond(headers: OutgoingHttpHeaders): void {
    this.#answerHeaders ??= headers;
  }

  write(bytes: Buffer, onDrained: () => void): boolean {
    if (this.over !== undefined) return true;
    try {
      return this.#splitter
        .push(bytes)
        .reduce((isWelcome, message) => this.#onMessage(message, onDrained) && isWelcome, true);
    } catch (thrown) {
      this.giveUp(endOfThrown(thrown));
      return true;
    }
  }

  end(_: CallEnd, headers?: OutgoingHttpHeaders): void {
    this.#patience.end();
    if (headers !== undefined) this.respond(headers);
  }
}
