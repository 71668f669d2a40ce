import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from "node:http2";
import { messageOf } from "../../../lib/errors.ts";
import { lightenBindings } from "../../../lib/rpc/light-bindings.ts";
import { lightenStreams } from "../../../lib/rpc/stream-table.ts";

/** How nodes and services are reached. */
export interface ConnectionConfig {
  /** How long calls wait for a connection, in milliseconds. */
  readonly connectTimeoutMs: number;
}

/** One node or service: an HTTP/2 connection that is made when needed and made again after a loss, and the calls on it. */
export class Connection {
  /** "host:port". */
  readonly address: string;
  readonly #config: ConnectionConfig;
  readonly #windowBytes: number;
  /** That new calls go to; undefined where one has to be made first. */
  #session: ClientHttp2Session | undefined;
  readonly #open = new Set<ClientHttp2Session>();
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
  call(headers: OutgoingHttpHeaders): ClientHttp2Stream {
    const session = this.#usable();
    const stream = session.request(headers);
    this.#outstanding++;
    if ((stream.id ?? 0) > streamIdMax) {
      this.#leave(session);
      stream.once("close", () => session.close());
    }
    stream.once("close", () => this.#outstanding--);
    return stream;
  }

  /** Finishes the calls that have begun. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    for (const session of this.#open) session.close();
  }

  #usable(): ClientHttp2Session {
    const session = this.#session;
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    if (performance.now() - this.#failedAtMs < failFastMs) throw new Error(this.#failure);
    return this.#connect();
  }

  #connect(): ClientHttp2Session {
    clearTimeout(this.#retryTimer);
    const { connectTimeoutMs } = this.#config;
    let isConnected = false;
    const session = connect(`http://${this.address}`, sessionOptions(this.#windowBytes));
    lightenStreams(session);
    lightenBindings();
    this.#session = session;
    this.#open.add(session);
    const timer = setTimeout(
      () => session.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    let keepalive: NodeJS.Timeout | undefined;
    // A socket alone is no server.
    session.once("remoteSettings", () => {
      isConnected = true;
      if (this.#hasConnected) this.#reconnectedMs = performance.now();
      this.#hasConnected = true;
      this.#failureCount = 0;
      this.#failedAtMs = -Infinity;
      clearTimeout(timer);
      session.setLocalWindowSize(connectionWindowBytes);
      keepalive = setInterval(() => checkAlive(session), keepaliveMs).unref();
    });
    session.on("error", (failure) => {
      if (!isConnected) this.#failure = messageOf(failure);
    });
    // New calls go elsewhere; those that it has taken are finished.
    session.once("goaway", () => this.#leave(session));
    session.once("close", () => {
      clearTimeout(timer);
      clearInterval(keepalive);
      this.#open.delete(session);
      this.#leave(session);
      if (!isConnected) this.#noteFailure();
    });
    return session;
  }

  #leave(session: ClientHttp2Session): void {
    if (this.#session === session) this.#session = undefined;
  }

  /** Tries again by itself, since nobody asks who cannot be reached. */
  #noteFailure(): void {
    this.#failureCount++;
    this.#failedAtMs = performance.now();
    if (this.#isClosed) return;
    const delayMs = Math.min(retryMsFirst * 2 ** (this.#failureCount - 1), retryMsMax) * (0.5 + Math.random() / 2);
    this.#retryTimer = setTimeout(() => {
      if (this.#session === undefined) this.#connect();
    }, delayMs).unref();
  }
}

/** A peer that vanished without a word is noticed. */
function checkAlive(session: ClientHttp2Session): void {
  const timer = setTimeout(() => session.destroy(new Error("the other side no longer answers")), keepaliveTimeoutMs);
  const isSent = session.ping(() => clearTimeout(timer));
  if (!isSent) clearTimeout(timer);
}

/** A whole answer of most models. */
const callWindowBytes = 4 * 1024 ** 2;
/** What may be on its way on all calls of one connection; Node counts as taken what it holds for slow readers. */
const connectionWindowBytes = 64 * 1024 ** 2;

function sessionOptions(initialWindowSize: number) {
  return {
    settings: { enablePush: false, initialWindowSize },
    // Bounded are calls and windows; Node would refuse calls of a connection that holds more than 10 MB.
    maxSessionMemory: Number.MAX_SAFE_INTEGER,
  } as const;
}

/** HTTP/2 numbers the calls of a connection 1, 3, 5 and on, up to 2^31 - 1: after that a new one is needed. */
const streamIdMax = 2 ** 31 - 1000;

const failFastMs = 50;
const retryMsFirst = 100;
const retryMsMax = 5000;
const keepaliveMs = 10_000;
const keepaliveTimeoutMs = 5000;
