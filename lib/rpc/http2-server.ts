import type {
  Http2Server,
  IncomingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
  ServerOptions,
} from "node:http2";
import type { Socket } from "node:net";
import { Writable } from "node:stream";
import type { Server, ServerCredentials } from "@grpc/grpc-js";
import { assert } from "../errors.ts";

/** What a server of grpc-js 1.14 has inside. */
interface Internals {
  readonly commonServerOptions: ServerOptions;
  createHttp2Server(credentials: ServerCredentials): Http2Server;
}

/** What grpc-js has no setting for. */
export interface Http2Options {
  /**
   * How much the callers of a server may have on their way, per call and per connection, before they wait for it to read. grpc-js
   * keeps its setting "grpc-node.flow_control_window" for clients, and servers at HTTP/2's 64 KiB, at which a caller one
   * millisecond away uploads 64 MB/s at best.
   */
  readonly receiveWindowBytes: number;
  /** Connections at the same time; undefined for no bound. */
  readonly connectionsMax: number | undefined;
  /** How long a connection may take until it speaks HTTP/2, in milliseconds. */
  readonly handshakeTimeoutMs: number;
  /** Sees every connection before its first call. */
  readonly onSession: (session: ServerHttp2Session) => void;
  /** Sees, and may change, the headers of every call before grpc-js does. */
  readonly onHeaders: (headers: IncomingHttpHeaders) => void;
  /** Who takes a call instead of grpc-js, by its path. */
  readonly handlers: ReadonlyMap<string, StreamHandler>;
}

/** Takes a call as HTTP/2 carries it, and answers for its end. */
export type StreamHandler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** Sets up the HTTP/2 below a server, and gives its connections. Must be called before the server listens. */
export function setUpHttp2(
  server: Server,
  { receiveWindowBytes, connectionsMax, handshakeTimeoutMs, onSession, onHeaders, handlers }: Http2Options,
): Http2Connections {
  const internals = server as unknown as Internals;
  assert(typeof internals.createHttp2Server === "function", "a server of grpc-js makes its HTTP/2 servers itself");
  assert(typeof internals.commonServerOptions === "object", "a server of grpc-js keeps the options of HTTP/2 servers");
  const { settings } = internals.commonServerOptions;
  internals.commonServerOptions.settings = { ...settings, initialWindowSize: receiveWindowBytes };
  const create = internals.createHttp2Server.bind(server);
  const connections = new Http2Connections();
  internals.createHttp2Server = (credentials) =>
    connections
      .of(handledApart(bounded(create(credentials), connectionsMax), handlers))
      .on("session", (session: ServerHttp2Session) => {
        closeUnlessSpoken(session, handshakeTimeoutMs);
        session.setLocalWindowSize(receiveWindowBytes);
        onSession(session);
      })
      .prependListener("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
        stream.write = writeUnlessEnded as ServerHttp2Stream["write"];
        onHeaders(headers);
      });
  return connections;
}

function bounded(server: Http2Server, connectionsMax: number | undefined): Http2Server {
  if (connectionsMax !== undefined) server.maxConnections = connectionsMax;
  return server;
}

/** Whoever connects and says nothing would stay for ever. */
function closeUnlessSpoken(session: ServerHttp2Session, timeoutMs: number): void {
  const timer = setTimeout(() => session.destroy(), timeoutMs).unref();
  const forget = () => clearTimeout(timer);
  session.once("remoteSettings", forget).once("close", forget);
}

/** Keeps the calls that others handle from whoever listens to the server, which will be grpc-js. */
function handledApart(server: Http2Server, handlers: Http2Options["handlers"]): Http2Server {
  const emit = server.emit.bind(server);
  server.emit = (event: string, ...values: unknown[]) => {
    if (event !== "stream") return emit(event, ...values);
    const [stream, headers] = values as Parameters<StreamHandler>;
    const handler = isGrpc(headers) ? handlers.get(String(headers[":path"])) : undefined;
    if (handler === undefined) return emit(event, ...values);
    handler(stream, headers);
    return true;
  };
  return server;
}

function isGrpc(headers: IncomingHttpHeaders): boolean {
  return headers[":method"] === "POST" && String(headers["content-type"]).startsWith("application/grpc");
}

/**
 * All connections of a server, for its end: grpc-js does not hear of the end of one that was being closed already, so that its own
 * shutdown may never be over, and leaves those open, also by force, whose peers do not close them.
 */
export class Http2Connections {
  readonly #listening = new Set<Http2Server>();
  readonly #sockets = new Set<Socket>();

  /** Includes those of a server that does not listen yet. */
  of(server: Http2Server): Http2Server {
    return server
      .on("listening", () => this.#listening.add(server))
      .on("connection", (socket: Socket) => {
        this.#sockets.add(socket);
        socket.once("close", () => this.#sockets.delete(socket));
      })
      .on("close", () => this.#listening.delete(server));
  }

  /** Settles when nothing listens and no connection is open. */
  async closed(): Promise<void> {
    await Promise.all([...this.#listening].map((server) => new Promise((resolve) => server.once("close", resolve))));
  }

  /** Closes all connections at once. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/**
 * Writes, or tells grpc-js that it is too late. grpc-js ends a call by itself where its deadline passes or its caller breaks the
 * protocol, and goes on with the replies that its handler gave before; a stream of Node that is written to after its end does
 * not end at all, so that the caller would never see a status.
 */
function writeUnlessEnded(this: ServerHttp2Stream, bytes: Buffer, callback: (failure?: Error | null) => void): boolean {
  if (!this.writableEnded) return write.call(this, bytes, callback);
  process.nextTick(callback, new Error("the call has ended"));
  return false;
}

const write: (this: Writable, bytes: Buffer, callback: (failure?: Error | null) => void) => boolean =
  Writable.prototype.write;
