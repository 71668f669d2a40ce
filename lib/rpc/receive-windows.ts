import type { Http2Server, ServerHttp2Session, ServerOptions } from "node:http2";
import type { Server, ServerCredentials } from "@grpc/grpc-js";
import { assert } from "../errors.ts";

/** What a server of grpc-js 1.14 has inside. */
interface Internals {
  readonly commonServerOptions: ServerOptions;
  createHttp2Server(credentials: ServerCredentials): Http2Server;
}

/**
 * Lets the callers of a server have `bytes` on their way, per call and per connection, before they wait for it to read. Must
 * be called before the server listens.
 *
 * grpc-js keeps its setting "grpc-node.flow_control_window" for clients, and servers at HTTP/2's 64 KiB, at which a caller one
 * millisecond away uploads 64 MB/s at best.
 */
export function widenReceiveWindows(server: Server, bytes: number): void {
  const internals = server as unknown as Internals;
  assert(typeof internals.createHttp2Server === "function", "a server of grpc-js makes its HTTP/2 servers itself");
  assert(typeof internals.commonServerOptions === "object", "a server of grpc-js keeps the options of HTTP/2 servers");
  const { settings } = internals.commonServerOptions;
  internals.commonServerOptions.settings = { ...settings, initialWindowSize: bytes };
  const create = internals.createHttp2Server.bind(server);
  internals.createHttp2Server = (credentials) =>
    create(credentials).on("session", (session: ServerHttp2Session) => session.setLocalWindowSize(bytes));
}
