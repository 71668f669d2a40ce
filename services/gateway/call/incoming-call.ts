import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { requestIdKey, requestIdOfText } from "../../../lib/rpc/call-context.ts";
import { AwaitedCall } from "./awaited-call.ts";
import type { Call } from "./call.ts";
import type { CallEnd } from "./call-end.ts";
import { cancelled } from "./patience.ts";
import { withTraceParent } from "./trace-parent.ts";

/** A call as gRPC over HTTP/2 carries it. */
export class IncomingCall extends AwaitedCall implements Call {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  readonly stream: ServerHttp2Stream;
  #hasBegun = false;
  #isEnded = false;
  #trailers: OutgoingHttpHeaders | undefined;
  #whenDrained: (() => void) | undefined;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    super();
    this.stream = stream;
    this.headers = withTraceParent(headers);
    this.path = String(headers[":path"]);
    this.requestId = requestIdOfText(headers[requestIdKey]);
    // What goes wrong with it ends in its close.
    stream.on("error", () => undefined);
    stream.on("close", () => this.patience.giveUp(cancelled));
    stream.on("drain", () => this.#whenDrained?.());
  }

  respond(headers: OutgoingHttpHeaders): void {
    if (this.#isClosed || this.#hasBegun) return;
    this.#hasBegun = true;
    this.stream.respond({ ...headers, ...this.#own }, { waitForTrailers: true });
    this.stream.once("wantTrailers", () => {
      this.stream.sendTrailers(this.#trailers ?? {});
      // A reset would overtake the trailers.
      setImmediate(() => this.#stopReading());
    });
  }

  write(bytes: Buffer, onDrained: () => void): boolean {
    if (this.#isClosed || this.stream.write(bytes)) return true;
    this.#whenDrained = onDrained;
    return false;
  }

  end(end: CallEnd, headers?: OutgoingHttpHeaders): void {
    this.patience.end();
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.stream.destroyed || this.stream.closed) return;
    if (headers !== undefined) this.respond(headers);
    if (this.#hasBegun) {
      this.#trailers = end.trailers;
      this.stream.end();
    } else {
      this.stream.respond({ ...end.trailers, ...this.#own }, { endStream: true });
      this.#stopReading();
    }
  }

  get #own(): OutgoingHttpHeaders {
    return { ":status": 200, "content-type": contentType, [requestIdKey]: this.requestId };
  }

  /** Of what the caller still sends nothing is wanted. */
  #stopReading(): void {
    if (this.stream.readableEnded) return;
    this.stream.close(constants.NGHTTP2_NO_ERROR);
    // What was never read would keep it from closing.
    this.stream.resume();
  }

  get #isClosed(): boolean {
    return this.#isEnded || this.stream.destroyed || this.stream.closed;
  }
}

const contentType = "application/grpc+proto";
