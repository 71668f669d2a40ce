import type { IncomingHttpHeaders } from "node:http2";
import type { Socket } from "node:net";
import { type ConnectionBounds, type ConnectionListener, Http2Connection } from "./connection.ts";
import { errorCode } from "./faults.ts";
import { protocolFault } from "./frame-payloads.ts";
import type { HeaderBlock } from "./header-blocks.ts";
import { PrefaceReader } from "./preface-reader.ts";
import { ResetAllowance } from "./reset-allowance.ts";
import { Stream, type StreamListener } from "./stream.ts";

/** What one connection of a server may be. */
export interface ServerConnectionBounds extends ConnectionBounds {
  /** Streams that are open at the same time; more are refused, so that their callers may try again. */
  readonly streamsMax: number;
}

/** Takes a stream of a caller; answers who hears all the rest of it. */
export type TakeStream = (stream: Stream, headers: IncomingHttpHeaders) => StreamListener;

/** The server's side of a connection. */
export class ServerConnection extends Http2Connection {
  readonly isClient = false;
  readonly #streamsMax: number;
  readonly #take: TakeStream;
  readonly #preface = new PrefaceReader();
  readonly #resets = new ResetAllowance();
  /** The last stream that was taken, and the last that there was. */
  #lastTaken = 0;
  #lastSeen = 0;
  /** Whether none is taken any longer. */
  #isFinal = false;
  #noticeTimer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, bounds: ServerConnectionBounds, take: TakeStream, listener: ConnectionListener) {
    super(socket, bounds, listener);
    this.#streamsMax = bounds.streamsMax;
    this.#take = take;
    this.sendSettings(bounds.streamsMax);
    socket.on("data", (bytes) => {
      if (!this.intake.push(bytes)) socket.pause();
    });
  }

  protected override receive(bytes: Buffer): void {
    const rest = this.#preface.strip(bytes);
    if (rest === undefined) this.destroy("the other side does not speak HTTP/2");
    else super.receive(rest);
  }

  /**
   * Says that no more streams should come, takes those that are on their way until the other side has heard of it, and finishes what has
   * begun. Source: RFC 9113, section 6.8.
   */
  override close(): void {
    const isFirst = !this.isLeaving;
    const hasBegun = this.isTaking;
    super.close();
    if (!isFirst || this.isClosed) return;
    if (hasBegun) this.#giveNotice();
    else this.destroy("the server takes no more connections");
  }

  protected get lastTaken(): number {
    return this.#lastTaken;
  }

  protected takeHeaders({ stream: id, headers, isLast }: HeaderBlock): void {
    if (id % 2 === 0) throw protocolFault(`a client began stream ${id}; needed: an odd number`);
    // Of a stream that is over, such as its trailers, or of one that comes too late.
    if (id <= this.#lastSeen || this.#isFinal || this.isClosed) {
      this.#lastSeen = Math.max(id, this.#lastSeen);
      return;
    }
    this.#lastSeen = id;
    this.#lastTaken = id;
    if (this.streams.size >= this.#streamsMax) this.#refuse(id, errorCode.refusedStream);
    else if (headers === undefined) this.#refuse(id, errorCode.enhanceYourCalm);
    else if (!isRequest(headers)) this.#refuse(id, errorCode.protocol);
    else this.#begin(id, headers, isLast);
  }

  protected hasBegun(stream: number): boolean {
    return stream % 2 === 1 && stream <= this.#lastSeen;
  }

  protected noteReset(): void {
    this.#resets.note();
  }

  protected override get isIdle(): boolean {
    return super.isIdle && this.#isFinal;
  }

  protected beginMore(): void {}

  /** No stream begins on this side. */
  protected closeAfter(): void {
    if (this.isClosed) clearTimeout(this.#noticeTimer);
  }

  #begin(id: number, headers: IncomingHttpHeaders, isLast: boolean): void {
    const stream = new Stream(this);
    this.streams.set(id, stream);
    stream.accept(id, this.settings.windowBytes, isLast);
    stream.listen(this.#take(stream, headers));
  }

  #refuse(id: number, code: number): void {
    this.#resets.note();
    this.frames.sendReset(id, code);
  }

  #giveNotice(): void {
    this.frames.sendGoaway(streamMax);
    this.#noticeTimer = setTimeout(() => this.#closeFinally(), noticeMs);
    this.ping(() => this.#closeFinally());
  }

  #closeFinally(): void {
    clearTimeout(this.#noticeTimer);
    if (this.#isFinal || this.isClosed) return;
    this.#isFinal = true;
    this.frames.sendGoaway(this.#lastTaken);
    super.close();
  }
}

/** RFC 9113, section 8.3.1. */
function isRequest(headers: IncomingHttpHeaders): boolean {
  return Boolean(headers[":method"] && headers[":scheme"] && headers[":path"]) && !(":status" in headers);
}

/** The largest number of a stream. */
const streamMax = 2 ** 31 - 1;
/** How long the other side may take to hear that no more streams should come. */
const noticeMs = 1000;
