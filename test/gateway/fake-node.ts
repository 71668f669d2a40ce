import { type ServerDuplexStream, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import { createLog } from "../../lib/log.ts";
import { serviceDefinition } from "../../lib/rpc/protos.ts";
import { RpcServer } from "../../lib/rpc/server.ts";

const service = "inference.GRPCInferenceService";

export type NodeCall = ServerUnaryCall<Buffer, Buffer>;
export type NodeHandler = (call: NodeCall, reply: sendUnaryData<Buffer>) => void;

export type NodeStream = ServerDuplexStream<Buffer, Buffer>;

/** An inference node at byte level: unary methods run `handle`, and the calls are kept; streams run `stream`. */
export class FakeNode {
  readonly calls: NodeCall[] = [];
  handle: NodeHandler = (call, reply) => reply(null, call.request);
  stream: (call: NodeStream) => void = (call) => call.emit("error", { code: status.UNIMPLEMENTED, details: "no" });
  address = "";
  readonly #server: RpcServer;

  constructor(port = 0) {
    const config = { host: "127.0.0.1", port, messageBytesMax: 64 * 1024 ** 2, drainTimeoutMs: 0 };
    this.#server = new RpcServer(config, createLog("node", "silent"));
    const unchanged = (bytes: Buffer) => bytes;
    const methods = Object.entries(serviceDefinition(service));
    const bytes = {
      requestSerialize: unchanged,
      requestDeserialize: unchanged,
      responseSerialize: unchanged,
      responseDeserialize: unchanged,
    };
    this.#server.add(
      service,
      Object.fromEntries(methods.map(([name, method]) => [name, { ...method, ...bytes }])),
      Object.fromEntries(methods.map(([name, method]) => [name, method.requestStream ? this.#onStream : this.#onCall])),
    );
  }

  async start(): Promise<this> {
    this.address = `127.0.0.1:${await this.#server.start()}`;
    return this;
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  #onStream = (call: NodeStream) => this.stream(call);

  #onCall = (call: NodeCall, reply: sendUnaryData<Buffer>) => {
    this.calls.push(call);
    this.handle(call, reply);
  };
}
