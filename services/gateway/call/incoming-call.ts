import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { errorCode } from "../../../lib/http2/faults.ts";
import type { Stream, StreamListener } from "../../../lib/http2/stream.ts";
import type { Taking } from "../../../lib/http2/waiting-bytes.ts";
import { requestIdKey, requestIdOfText } from "../../../lib/rpc/call-context.ts";
import type { HeldAnswer } from "../held-answers.ts";
import { AwaitedCall } from "./awaited-call.ts";
import type { Call } from "./call.ts";
import type { CallEnd } from "./call-end.ts";
import { cancelled } from "./patience.ts";
import { withTraceParent } from "./trace-parent.ts";

/** Takes what a caller sends after its headers. */
export interface RequestReader {
  /** As `StreamListener` hears of it. */
  onData(bytes: Buffer, isOwn: boolean): void;
  /** There is nothing more. */
  onEnd(): void;
}

/** A call as gRPC over HTTP/2 carries it. Its caller is kept from sending until somebody reads. */
export class IncomingCall extends AwaitedCall implements Call, StreamListener, HeldAnswer {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  readonly #stream: Stream;
  #reader: RequestReader | undefined;
  #isPaused = true;
  #hasBegun = false;
  #isEnded = false;
  #whenDrained: (() => void) | undefined;

  constructor(stream: Stream, headers: IncomingHttpHeaders) {
    super();
    this.#stream = stream;
    this.headers = withTraceParent(headers);
    this.path = String(headers[":path"]);
    this.requestId = requestIdOfText(headers[requestIdKey]);
    stream.pause();
  }

  /** Gives what the caller sends to a reader, in its order. */
  read(reader: RequestReader): void {
    this.#reader = reader;
    this.resume();
  }

  /** Nothing more is read. */
  stopReading(): void {
    this.#reader = undefined;
    this.pause();
  }

  /** Whether the caller is kept from sending. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  pause(): void {
    this.#isPaused = true;
    this.#stream.pause();
  }

  /** Does nothing where nobody reads. */
  resume(): void {
    if (this.#reader === undefined) return;
    this.#isPaused = false;
    this.#stream.resume();
  }

  respond(headers: OutgoingHttpHeaders): void {
    if (this.#hasBegun || this.#isEnded) return;
    this.#hasBegun = true;
    this.#stream.respond(this.#head(headers));
  }

  write(bytes: Buffer, onDrained: () => void): boolean {
    if (this.#isEnded || this.#stream.write(bytes)) return true;
    this.#whenDrained = onDrained;
    return false;
  }

  end(end: CallEnd, headers?: OutgoingHttpHeaders): void {
    this.patience.end();
    if (this.#isEnded) return;
    if (headers !== undefined) this.respond(headers);
    this.#isEnded = true;
    this.#stream.end(this.#hasBegun ? end.trailers : this.#head(end.trailers));
  }

  get isWaiting(): boolean {
    return this.#stream.queuedBytes > 0;
  }

  get taking(): Taking | undefined {
    return this.#stream.taking;
  }

  /** RESOURCE_EXHAUSTED is what this code means to gRPC: trailers would wait behind what is not read. */
  abandon(why: CallEnd): void {
    this.giveUp(why);
    this.#stream.reset(errorCode.enhanceYourCalm);
  }

  /** Trailers of a request mean nothing. */
  onHeaders(): void {}

  onData(bytes: Buffer, isOwn: boolean): void {
    this.#reader?.onData(bytes, isOwn);
  }

  onEnd(): void {
    this.#reader?.onEnd();
  }

  onDrain(): void {
    this.#whenDrained?.();
  }

  onClose(): void {
    this.patience.giveUp(cancelled);
  }

  /** The headers of an answer, or of one that is nothing but its end. */
  #head(said: OutgoingHttpHeaders): OutgoingHttpHeaders {
    return { ":status": 200, ...said, "content-type": contentType, [requestIdKey]: this.requestId };
  }
}

const contentType = "application/grpc+proto";
