import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { type ClientConnection, connectClient } from "../../../lib/http2/client.ts";
import type { Stream, StreamListener } from "../../../lib/http2/stream.ts";
import type { WaitingBytes } from "../../../lib/http2/waiting-bytes.ts";

/** How nodes and services are reached. */
export interface ConnectionConfig {
  /** How long calls wait for a connection, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Where answers count that wait for callers to take them. */
  readonly waiting?: WaitingBytes;
}

/** One node or service: an HTTP/2 connection that is made when needed and made again after a loss, and the calls on it. */
export class Connection {
  /** "host:port". */
  readonly address: string;
  readonly #config: ConnectionConfig;
  readonly #windowBytes: number;
  /** That new calls go to; undefined where one has to be made first. */
  #session: ClientConnection | undefined;
  readonly #open = new Set<ClientConnection>();
  #outstanding = 0;
  /** Attempts to connect in a row that have failed. */
  #failureCount = 0;
  #failure = "";
  #retryTimer: NodeJS.Timeout | undefined;
  #failedAtMs = -Infinity;
  #isClosed = false;
  #hasConnected = false;
  #reconnectedMs = -Infinity;

  /** Of each call it holds at most so many bytes that the caller has not taken yet. */
  constructor(address: string, config: ConnectionConfig, windowBytes: number = callWindowBytes) {
    this.address = address;
    this.#config = config;
    this.#windowBytes = windowBytes;
  }

  /** Calls that have begun and not ended. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** False from a failed attempt to connect until a successful one; attempts go on by themselves. */
  get isReachable(): boolean {
    return this.#failureCount === 0;
  }

  /** When it was connected again after a loss, by `performance.now()`; -Infinity where it never was. */
  get reconnectedMs(): number {
    return this.#reconnectedMs;
  }

  /**
   * Begins a call; what is sent waits for the connection. The stream closes in the end, whatever happens. Throws where the last
   * attempt to connect has just failed.
   */
  call(headers: OutgoingHttpHeaders, listener: StreamListener): Stream {
    const session = this.#usable();
    const stream = session.request(headers, new CountedListener(listener, this.#countOut));
    this.#outstanding++;
    return stream;
  }

  /** Finishes the calls that have begun. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    for (const session of this.#open) session.close();
  }

  readonly #countOut = (): void => {
    this.#outstanding--;
  };

  #usable(): ClientConnection {
    const session = this.#session;
    if (session !== undefined) return session;
    if (performance.now() - this.#failedAtMs < failFastMs) throw new Error(this.#failure);
    return this.#connect();
  }

  #connect(): ClientConnection {
    clearTimeout(this.#retryTimer);
    const { connectTimeoutMs, waiting } = this.#config;
    let isConnected = false;
    let keepalive: NodeJS.Timeout | undefined;
    const session = connectClient(
      { ...hostAndPort(this.address), ...bounds, streamWindowBytes: this.#windowBytes, waiting },
      {
        // A socket alone is no server.
        onReady: () => {
          isConnected = true;
          if (this.#hasConnected) this.#reconnectedMs = performance.now();
          this.#hasConnected = true;
          this.#failureCount = 0;
          this.#failedAtMs = -Infinity;
          clearTimeout(timer);
          keepalive = setInterval(() => checkAlive(session), keepaliveMs).unref();
        },
        // New calls go elsewhere; those that it has taken are finished.
        onLeaving: () => this.#leave(session),
        onClose: (failure) => {
          clearTimeout(timer);
          clearInterval(keepalive);
          this.#open.delete(session);
          this.#leave(session);
          if (!isConnected) this.#noteFailure(failure ?? "the connection was closed");
        },
      },
    );
    const timer = setTimeout(() => session.destroy(`no connection within ${connectTimeoutMs} ms`), connectTimeoutMs);
    this.#session = session;
    this.#open.add(session);
    return session;
  }

  #leave(session: ClientConnection): void {
    if (this.#session === session) this.#session = undefined;
  }

  /** Tries again by itself, since nobody asks who cannot be reached. */
  #noteFailure(failure: string): void {
    this.#failure = failure;
    this.#failureCount++;
    this.#failedAtMs = performance.now();
    if (this.#isClosed) return;
    const delayMs = Math.min(retryMsFirst * 2 ** (this.#failureCount - 1), retryMsMax) * (0.5 + Math.random() / 2);
    this.#retryTimer = setTimeout(() => {
      if (this.#session === undefined) this.#connect();
    }, delayMs).unref();
  }
}

/** A listener, before whom somebody else hears of the close. */
class CountedListener implements StreamListener {
  readonly #listener: StreamListener;
  readonly #onClose: () => void;

  constructor(listener: StreamListener, onClose: () => void) {
    this.#listener = listener;
    this.#onClose = onClose;
  }

  onHeaders(headers: IncomingHttpHeaders, isLast: boolean): void {
    this.#listener.onHeaders(headers, isLast);
  }

  onData(bytes: Buffer, isOwn: boolean): void {
    this.#listener.onData(bytes, isOwn);
  }

  onEnd(): void {
    this.#listener.onEnd?.();
  }

  onDrain(): void {
    this.#listener.onDrain?.();
  }

  onClose(failure: string | undefined): void {
    this.#onClose();
    this.#listener.onClose(failure);
  }
}

/** A peer that vanished without a word is noticed. */
function checkAlive(session: ClientConnection): void {
  const timer = setTimeout(() => session.destroy("the other side no longer answers"), keepaliveTimeoutMs);
  session.ping(() => clearTimeout(timer));
}

function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(`http://${address}`);
  return { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port || 80) };
}

/** A whole answer of most models. */
const callWindowBytes = 4 * 1024 ** 2;

const bounds = {
  /** What may be on its way on all calls of one connection; what is held for one slow reader must not hold up the others. */
  connectionWindowBytes: 64 * 1024 ** 2,
  countsHeld: false,
  headerBytesMax: 64 * 1024,
};

const failFastMs = 50;
const retryMsFirst = 100;
const retryMsMax = 5000;
const keepaliveMs = 10_000;
const keepaliveTimeoutMs = 5000;
