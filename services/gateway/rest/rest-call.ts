import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { AwaitedCall } from "../call/awaited-call.ts";
import type { Call } from "../call/call.ts";
import { type CallEnd, endOfThrown } from "../call/call-end.ts";
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
export class RestCall extends AwaitedCall implements Call {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  readonly #onMessage: RestCallOptions["onMessage"];
  readonly #splitter: MessageSplitter;
  #answerHeaders: OutgoingHttpHeaders | undefined;

  constructor({ path, headers, requestId, messageBytesMax, onMessage }: RestCallOptions) {
    super();
    this.path = path;
    this.headers = headers;
    this.requestId = requestId;
    this.#onMessage = onMessage;
    this.#splitter = new MessageSplitter(messageBytesMax);
  }

  /** What was said before the messages, or with the end where there were none. */
  get answerHeaders(): OutgoingHttpHeaders {
    return this.#answerHeaders ?? {};
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
    this.patience.end();
    if (headers !== undefined) this.respond(headers);
  }
}
