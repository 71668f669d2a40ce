import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { errorCode, errorName } from "./faults.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { windowBytesMax } from "./frames.ts";
import { checkSendable } from "./header-encoder.ts";
import { HeldChunks } from "./held-chunks.ts";
import { OutgoingHalf } from "./outgoing-half.ts";
import type { Taking, WaitingBytes } from "./waiting-bytes.ts";

/** The connection, as a stream sees it. */
export interface Carrier {
  readonly isClient: boolean;
  /** What a stream may be sent before its listener takes it. */
  readonly streamWindowBytes: number;
  /** The stream may have something to send. */
  ready(stream: Stream): void;
  readonly frames: FrameWriter;
  /** Where answers count that wait for whoever asked: to a server what it has to send, to a client what its listeners do not take. */
  readonly waiting: WaitingBytes | undefined;
  /** Of what came on its streams so much is no longer held. */
  noteTaken(bytes: number): void;
  /** The stream is closed. */
  forget(stream: Stream): void;
}

/** Hears what the other side of a stream says, in its order; of nothing but the close while the stream is paused. */
export interface StreamListener {
  /**
   * To a client the first headers, and the trailers, which are last; an answer without messages has only the last. To a server the
   * trailers of a request, which hardly any has.
   */
  onHeaders(headers: IncomingHttpHeaders, isLast: boolean): void;
  /** The bytes are valid during the call, so that who keeps them copies them, unless they are the listener's own. */
  onData(bytes: Buffer, isOwn: boolean): void;
  /** The other side has said all. */
  onEnd?(): void;
  /** More may be written, after it was too much. */
  onDrain?(): void;
  /** It is over, once: undefined where both sides have said all or it was reset here, and why otherwise. */
  onClose(failure: string | undefined): void;
}

/** A call on a connection: messages both ways, each at the speed of who reads them. */
export class Stream {
  readonly #carrier: Carrier;
  readonly #outgoing: OutgoingHalf;
  /** 0 as long as it waits for its turn to begin. */
  #id = 0;
  #listener: StreamListener | undefined;
  #isClosed = false;
  #failure: string | undefined;
  #receiveWindowBytes: number;
  /** Taken by the listener, and not given back to the window. */
  #takenBytes = 0;
  #heldBytes = 0;
  #held: HeldChunks | undefined;
  #hasHeaders = false;
  #hasEnded = false;
  #hasToldEnd = false;
  #trailers: IncomingHttpHeaders | undefined;
  #isPaused = false;
  #isTelling = false;
  /** Whether it is among those that have something to send, and the next of them; of the connection's. */
  isReady = false;
  next: Stream | undefined;

  constructor(carrier: Carrier) {
    this.#carrier = carrier;
    this.#outgoing = new OutgoingHalf(carrier.frames, carrier.isClient ? undefined : carrier.waiting);
    this.#receiveWindowBytes = carrier.streamWindowBytes;
  }

  get id(): number {
    return this.#id;
  }

  /** Who hears of it, from now on; once. */
  listen(listener: StreamListener): void {
    this.#listener = listener;
    if (this.#isClosed) listener.onClose(this.#failure);
    else this.#tell();
  }

  /** Who hears of it now. */
  get listener(): StreamListener | undefined {
    return this.#listener;
  }

  /** Of what was written, the bytes that wait here. */
  get queuedBytes(): number {
    return this.#outgoing.queuedBytes;
  }

  /** How they are taken, where they count. */
  get taking(): Taking | undefined {
    return this.#outgoing.taking;
  }

  /**
   * The first headers of an answer, ":status" among them; before all else, and once. Throws REQUEST_INVALID for a header that HTTP cannot
   * carry.
   */
  respond(headers: OutgoingHttpHeaders): void {
    if (!this.#isWritable) return;
    checkSendable(headers);
    this.#carrier.frames.sendHeaders(this.#id, headers, false);
  }

  /** Sends bytes, which must not be changed any longer; answers whether more are welcome. Does nothing after the end. */
  write(bytes: Buffer): boolean {
    if (!this.#isWritable || bytes.length === 0) return true;
    const isWelcome = this.#outgoing.push(bytes);
    this.#carrier.ready(this);
    return isWelcome;
  }

  /** Sends bytes, and nothing more. */
  writeLast(bytes: Buffer): void {
    this.write(bytes);
    this.end();
  }

  /**
   * There is nothing more to send but these trailers; where there was no `respond` they are the whole answer, with its ":status". Throws
   * REQUEST_INVALID for one that HTTP cannot carry.
   */
  end(trailers?: OutgoingHttpHeaders): void {
    if (!this.#isWritable) return;
    if (trailers !== undefined) checkSendable(trailers);
    this.#outgoing.end(trailers);
    this.#carrier.ready(this);
  }

  /** The listener hears of nothing until `resume`. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#tell();
  }

  /** Gives it up, with one of `errorCode`. */
  reset(code: number): void {
    if (this.#isClosed) return;
    const isOver = this.#outgoing.hasEnded && this.#hasEnded;
    if (this.#id !== 0 && !isOver) this.#carrier.frames.sendReset(this.#id, code);
    this.close(undefined);
  }

  /** It begins, with a window of so many bytes. This and all that follows is the connection's. */
  open(id: number, windowBytes: number): void {
    this.#id = id;
    this.#outgoing.widen(windowBytes);
    this.#carrier.ready(this);
  }

  /** A caller has begun it by headers, the last where nothing follows. */
  accept(id: number, windowBytes: number, isLast: boolean): void {
    this.#hasHeaders = true;
    this.#hasEnded = isLast;
    this.open(id, windowBytes);
  }

  get hasToSend(): boolean {
    return this.#id !== 0 && !this.#isClosed && this.#outgoing.hasToSend;
  }

  /** Sends a frame, with at most so many bytes; answers how many. */
  sendNext(bytesMax: number): number {
    const bytes = this.#outgoing.sendNext(this.#id, bytesMax);
    this.#closeIfDone();
    if (this.#outgoing.takeDrained()) this.#listener?.onDrain?.();
    return bytes;
  }

  /** The other side takes so much more, or less; answers whether a window may be so wide. */
  widen(bytes: number): boolean {
    const windowBytes = this.#outgoing.widen(bytes);
    this.#carrier.ready(this);
    return windowBytes <= windowBytesMax;
  }

  receiveHeaders(headers: IncomingHttpHeaders, isLast: boolean): void {
    // There is more to come: RFC 9113, section 8.1.
    const isPreliminary = this.#carrier.isClient && !isLast && String(headers[":status"]).startsWith("1");
    if (this.#isClosed || isPreliminary) return;
    if (this.#hasEnded) this.fail(errorCode.streamClosed, "headers came after the end");
    else if (this.#hasHeaders && !isLast) this.fail(errorCode.protocol, "headers came twice");
    else this.#takeHeaders(headers, isLast);
  }

  /** `windowBytes` are those of the payload with its padding. */
  receiveData(payload: Buffer, windowBytes: number, isLast: boolean): void {
    this.#receiveWindowBytes -= windowBytes;
    this.#heldBytes += windowBytes;
    if (this.#hasEnded) this.fail(errorCode.streamClosed, "data came after the end");
    else if (!this.#hasHeaders) this.fail(errorCode.protocol, "data came before the headers");
    else if (this.#receiveWindowBytes < 0) this.fail(errorCode.flowControl, "more data came than there was room for");
    else {
      this.#noteTaken(windowBytes - payload.length);
      this.#hasEnded = isLast;
      if (payload.length > 0) this.#takeIn(payload);
      this.#tell();
    }
  }

  /** The other side has given it up, or, after the end of its answer, wants no more. */
  receiveReset(code: number): void {
    const isAnswered = this.#carrier.isClient && this.#hasEnded;
    if (!isAnswered) this.close(`the other side reset the stream: ${errorName(code)}`);
    this.#outgoing.drop();
    this.#closeIfDone();
  }

  /** The other side broke the protocol on it. */
  fail(code: number, why: string): void {
    this.#carrier.frames.sendReset(this.#id, code);
    this.close(`the other side broke the protocol: ${why}`);
  }

  close(failure: string | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#failure = failure;
    this.#outgoing.drop();
    this.#held?.drop();
    this.#carrier.noteTaken(this.#heldBytes);
    this.#carrier.forget(this);
    this.#listener?.onClose(failure);
  }

  get #isWritable(): boolean {
    return !this.#isClosed && !this.#outgoing.isEnding;
  }

  #takeHeaders(headers: IncomingHttpHeaders, isLast: boolean): void {
    this.#hasHeaders = true;
    if (isLast) {
      this.#hasEnded = true;
      this.#trailers = headers;
      this.#tell();
    } else this.#listener?.onHeaders(headers, false);
  }

  #takeIn(payload: Buffer): void {
    if (this.#mayTell && !this.#isTelling && (this.#held?.isEmpty ?? true)) {
      this.#isTelling = true;
      this.#tellData(payload, false);
      this.#isTelling = false;
    } else {
      this.#held ??= new HeldChunks(this.#carrier.isClient ? this.#carrier.waiting : undefined);
      this.#held.push(payload);
    }
  }

  /** Tells the listener what there is. */
  #tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    while (this.#mayTell && this.#held !== undefined && !this.#held.isEmpty) this.#tellData(this.#held.shift()!, true);
    if (this.#mayTell && this.#hasEnded && !this.#hasToldEnd) {
      this.#hasToldEnd = true;
      if (this.#trailers !== undefined) this.#listener?.onHeaders(this.#trailers, true);
      this.#listener?.onEnd?.();
    }
    this.#isTelling = false;
    this.#closeIfDone();
  }

  get #mayTell(): boolean {
    return !this.#isPaused && !this.#isClosed && this.#listener !== undefined;
  }

  #tellData(bytes: Buffer, isOwn: boolean): void {
    this.#listener?.onData(bytes, isOwn);
    this.#noteTaken(bytes.length);
  }

  /** Gives the window back where half of it is used. */
  #noteTaken(bytes: number): void {
    if (this.#isClosed) return;
    this.#heldBytes -= bytes;
    this.#carrier.noteTaken(bytes);
    this.#takenBytes += bytes;
    if (this.#hasEnded || this.#takenBytes < this.#carrier.streamWindowBytes / 2) return;
    this.#receiveWindowBytes += this.#takenBytes;
    this.#carrier.frames.widen(this.#id, this.#takenBytes);
    this.#takenBytes = 0;
  }

  #closeIfDone(): void {
    if (this.#isClosed || !this.#outgoing.hasEnded) return;
    if (this.#hasToldEnd) this.close(undefined);
    // Of what a caller still sends after its answer nothing is wanted: RFC 9113, section 8.1.
    else if (!this.#carrier.isClient) this.reset(errorCode.none);
  }
}
