import type { OutgoingHttpHeaders } from "node:http2";
import { connect, type Socket } from "node:net";
import { type ConnectionBounds, type ConnectionListener, Http2Connection } from "./connection.ts";
import { protocolFault } from "./frame-payloads.ts";
import { preface } from "./frames.ts";
import type { HeaderBlock } from "./header-blocks.ts";
import { checkSendable } from "./header-encoder.ts";
import { Stream, type StreamListener } from "./stream.ts";

/** Whom one connects to, and how. */
export interface ClientOptions extends ConnectionBounds {
  readonly host: string;
  readonly port: number;
  /** Streams after which no more can begin; by default, and at most, what HTTP/2 has numbers for. */
  readonly streamsTotalMax?: number;
}

/** Connects without encryption; streams may begin at once, and wait until they can. */
export function connectClient(options: ClientOptions, listener: ConnectionListener): ClientConnection {
  const { host, port } = options;
  // The bytes of one read are done with before the next.
  const buffer = Buffer.allocUnsafeSlow(readBytes);
  const callback = (length: number) => connection.intake.push(buffer.subarray(0, length));
  const connection = new ClientConnection(connect({ host, port, onread: { buffer, callback } }), options, listener);
  return connection;
}

/** The client's side of a connection. */
export class ClientConnection extends Http2Connection {
  readonly isClient = true;
  protected readonly lastTaken = 0;
  readonly #authority: string;
  readonly #streamsTotalMax: number;
  /** The headers of streams that wait for the connection, or for the end of others, in their order. */
  readonly #pending = new Map<Stream, OutgoingHttpHeaders>();
  #nextId = 1;

  constructor(socket: Socket, options: ClientOptions, listener: ConnectionListener) {
    super(socket, options, listener);
    this.#authority = `${options.host}:${options.port}`;
    this.#streamsTotalMax = options.streamsTotalMax ?? streamsTotalMax;
    this.output.push(preface);
    this.sendSettings(undefined);
  }

  /**
   * Begins a stream; one that comes when no more can begin is closed at once. Throws REQUEST_INVALID for a header that HTTP cannot
   * carry.
   */
  request(headers: OutgoingHttpHeaders, listener: StreamListener): Stream {
    checkSendable(headers);
    const stream = new Stream(this);
    stream.listen(listener);
    const head = { ":scheme": "http", ":authority": this.#authority, ...headers };
    if (this.#mayBegin) this.#begin(stream, head);
    else if (this.isLeaving) stream.close("the connection takes no more calls");
    else this.#pending.set(stream, head);
    return stream;
  }

  override forget(stream: Stream): void {
    this.#pending.delete(stream);
    super.forget(stream);
  }

  protected takeHeaders({ stream }: HeaderBlock): void {
    if (!this.hasBegun(stream)) throw protocolFault(`stream ${stream} has not begun`);
  }

  protected noteReset(): void {}

  protected hasBegun(stream: number): boolean {
    return stream % 2 === 1 && stream < this.#nextId;
  }

  protected override get isIdle(): boolean {
    return super.isIdle && this.#pending.size === 0;
  }

  protected beginMore(): void {
    for (const [stream, headers] of this.#pending) {
      if (!this.#mayBegin) return;
      this.#pending.delete(stream);
      this.#begin(stream, headers);
    }
  }

  protected closeAfter(last: number, failure: string): void {
    this.streams.forEach((stream) => {
      if (stream.id > last) stream.close(failure);
    });
    for (const stream of [...this.#pending.keys()]) stream.close(failure);
  }

  get #mayBegin(): boolean {
    return this.isTaking && this.streams.size < this.settings.streamsMax;
  }

  #begin(stream: Stream, headers: OutgoingHttpHeaders): void {
    const id = this.#nextId;
    this.#nextId += 2;
    this.frames.sendHeaders(id, headers, false);
    this.streams.set(id, stream);
    stream.open(id, this.settings.windowBytes);
    if (this.#nextId / 2 > this.#streamsTotalMax) this.close();
  }
}

/** Numbers are odd and have 31 bits; some are left for good measure. */
const streamsTotalMax = 2 ** 30 - 500;
const readBytes = 64 * 1024;
