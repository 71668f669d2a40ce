import type {
  Http2Server,
  IncomingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
  ServerOptions,
} from "node:http2";
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
  /** Sees, and may change, the headers of every call before grpc-js does. */
  readonly onHeaders: (headers: IncomingHttpHeaders) => void;
}

/** Sets up the HTTP/2 below a server. Must be called before the server listens. */
export function setUpHttp2(server: Server, { receiveWindowBytes, onHeaders }: Http2Options): void {
  const internals = server as unknown as Internals;
  assert(typeof internals.createHttp2Server === "function", "a server of grpc-js makes its HTTP/2 servers itself");
  assert(typeof internals.commonServerOptions === "object", "a server of grpc-js keeps the options of HTTP/2 servers");
  const { settings } = internals.commonServerOptions;
  internals.commonServerOptions.settings = { ...settings, initialWindowSize: receiveWindowBytes };
  const create = internals.createHttp2Server.bind(server);
  internals.createHttp2Server = (credentials) =>
    create(credentials)
      .on("session", (session: ServerHttp2Session) => session.setLocalWindowSize(receiveWindowBytes))
      .prependListener("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
        stream.write = writeUnlessEnded as ServerHttp2Stream["write"];
        onHeaders(headers);
      });
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
