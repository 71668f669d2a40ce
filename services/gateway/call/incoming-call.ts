import { constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { ServiceError } from "../../../lib/errors.ts";
import { requestIdKey, requestIdOfText } from "../../../lib/rpc/call-context.ts";
import { type CallEnd, endOfThrown } from "./call-end.ts";
import { timeoutMsOf } from "./timeout.ts";

/** A call of a caller as HTTP/2 carries it: headers, messages as bytes, an answer, and an end. */
export class IncomingCall {
  /** "/package.Service/Method". */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  /** `performance.now()` when it arrived. */
  readonly arrivedMs = performance.now();
  readonly stream: ServerHttp2Stream;
  #deadlineMs = Infinity;
  #timer: NodeJS.Timeout | undefined;
  /** Why nobody waits for the answer any longer. */
  #over: CallEnd | undefined;
  #hasBegun = false;
  #isEnded = false;
  #trailers: OutgoingHttpHeaders | undefined;
  #whenOver: ((why: CallEnd) => void) | undefined;
  #whenDrained: (() => void) | undefined;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.stream = stream;
    this.headers = headers;
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

  /** When its caller stops waiting, in milliseconds since 1970; Infinity where it did not say. */
  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  /** Why nobody waits for an answer any longer; undefined while somebody does. */
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
    const ms = askedMs < Infinity ? askedMs : presetMs;
    if (ms === Infinity) return;
    this.#deadlineMs = Date.now() + ms;
    const text =
      askedMs < Infinity
        ? "the deadline has passed"
        : `the call has no deadline, and was not answered within the default of ${presetMs} ms`;
    this.#timer = setTimeout(
      () => this.#finish(endOfThrown(new ServiceError("DEADLINE_EXCEEDED", text))),
      Math.min(Math.ceil(ms), timerMsMax),
    );
  }

  /** Calls back once nobody waits for an answer any longer, with the end of the call; replaces what was to be called. */
  whenOver(listener: ((why: CallEnd) => void) | undefined): void {
    this.#whenOver = listener;
    if (listener !== undefined && this.#over !== undefined) listener(this.#over);
  }

  /** Ends what is under way for the call, since it is to end like that. */
  giveUp(end: CallEnd): void {
    this.#finish(end);
  }

  /** Sends headers; messages may follow. */
  respond(headers: OutgoingHttpHeaders): void {
    if (this.#isClosed || this.#hasBegun) return;
    this.#hasBegun = true;
    this.stream.respond({ ...headers, ":status": 200, "content-type": contentType }, { waitForTrailers: true });
    this.stream.once("wantTrailers", () => {
      this.stream.sendTrailers(this.#trailers ?? {});
      // A reset would overtake the trailers.
      setImmediate(() => this.#stopReading());
    });
  }

  /** Sends bytes; answers whether more are welcome. Otherwise `onDrained` is called when they are. */
  write(bytes: Buffer, onDrained: () => void): boolean {
    if (this.#isClosed || this.stream.write(bytes)) return true;
    this.#whenDrained = onDrained;
    return false;
  }

  /** Ends the call, with the headers first where none were sent. */
  end(end: CallEnd, headers?: OutgoingHttpHeaders): void {
    clearTimeout(this.#timer);
    this.#whenOver = undefined;
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.stream.destroyed || this.stream.closed) return;
    if (headers !== undefined) this.respond(headers);
    if (this.#hasBegun) {
      this.#trailers = end.trailers;
      this.stream.end();
    } else {
      this.stream.respond({ ...end.trailers, ":status": 200, "content-type": contentType }, { endStream: true });
      this.#stopReading();
    }
  }

  /** Of what the caller still sends nothing is wanted. */
  #stopReading(): void {
    if (!this.stream.readableEnded) this.stream.close(constants.NGHTTP2_NO_ERROR);
  }

  get #isClosed(): boolean {
    return this.#isEnded || this.stream.destroyed || this.stream.closed;
  }

  #finish(why: CallEnd): void {
    if (this.#over !== undefined || this.#isEnded) return;
    this.#over = why;
    this.#whenOver?.(why);
  }
}

const contentType = "application/grpc+proto";
/** What `setTimeout` takes. */
const timerMsMax = 2 ** 31 - 1;

function cancelled(): ServiceError {
  return new ServiceError("CANCELLED", "the caller cancelled the call");
}
