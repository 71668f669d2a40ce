import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { ServiceError } from "../../../lib/errors.ts";
import { requestIdKey, requestIdOfText } from "../../../lib/rpc/call-context.ts";
import type { Call } from "./call.ts";
import { type CallEnd, endOfThrown } from "./call-end.ts";
import { timeoutMsOf } from "./timeout.ts";
import { withTraceParent } from "./trace-parent.ts";

/** A call as gRPC over HTTP/2 carries it. */
export class IncomingCall implements Call {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  readonly arrivedMs = performance.now();
  readonly stream: ServerHttp2Stream;
  #deadlineMs = Infinity;
  #isAsked = false;
  #timer: NodeJS.Timeout | undefined;
  #over: CallEnd | undefined;
  #hasBegun = false;
  #isEnded = false;
  #trailers: OutgoingHttpHeaders | undefined;
  readonly #overListeners = new Set<(why: CallEnd) => void>();
  #whenDrained: (() => void) | undefined;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.stream = stream;
    this.headers = withTraceParent(headers);
    this.path = String(headers[":path"]);
    this.requestId = requestIdOfText(headers[requestIdKey]);
    // What goes wrong with it ends in its close.
    stream.on("error", () => undefined);
    stream.on("close", () => {
      clearTimeout(this.#timer);
      if (!this.#isEnded) this.#finish(endOfThrown(cancelled()));
    });
    stream.on("drain", () => this.#whenDrained?.());
  }

  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  get over(): CallEnd | undefined {
    return this.#over;
  }

  /**
   * Reads how long the caller waits, or else takes the preset, in milliseconds, and holds the call to it. Throws REQUEST_INVALID, and
   * DEADLINE_EXCEEDED where it is too late already.
   */
  begin(presetMs = Infinity): void {
    const askedMs = timeoutMsOf(this.headers["grpc-timeout"]);
    if (askedMs <= 0) {
      throw new ServiceError("DEADLINE_EXCEEDED", "the deadline had already passed when the call arrived");
    }
    this.#isAsked = askedMs < Infinity;
    if (this.#isAsked) this.#hold(askedMs, "the deadline has passed");
    else if (presetMs < Infinity) this.presetTimeout(presetMs);
  }

  presetTimeout(ms: number): void {
    if (this.#isAsked || this.#isEnded) return;
    const text = `the call has no deadline, and was not answered within the default of ${ms} ms`;
    this.#hold(ms + this.arrivedMs - performance.now(), text);
  }

  #hold(ms: number, text: string): void {
    clearTimeout(this.#timer);
    this.#deadlineMs = Date.now() + ms;
    this.#timer = setTimeout(
      () => this.#finish(endOfThrown(new ServiceError("DEADLINE_EXCEEDED", text))),
      Math.min(Math.ceil(ms), timerMsMax),
    );
  }

  onOver(listener: (why: CallEnd) => void): () => void {
    if (this.#over !== undefined) listener(this.#over);
    else this.#overListeners.add(listener);
    return () => this.#overListeners.delete(listener);
  }

  /** Ends what is under way for the call, since it is to end like that. */
  giveUp(end: CallEnd): void {
    this.#finish(end);
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
    clearTimeout(this.#timer);
    this.#overListeners.clear();
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

  #finish(why: CallEnd): void {
    if (this.#over !== undefined || this.#isEnded) return;
    this.#over = why;
    for (const listener of [...this.#overListeners]) listener(why);
  }
}

const contentType = "application/grpc+proto";
/** What `setTimeout` takes. */
const timerMsMax = 2 ** 31 - 1;

function cancelled(): ServiceError {
  return new ServiceError("CANCELLED", "the caller cancelled the call");
}
