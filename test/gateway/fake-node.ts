import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { serviceDefinition } from "../../lib/rpc/protos.ts";

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
  readonly #port: number;
  readonly #server = new Server({ "grpc.max_receive_message_length": -1 });

  constructor(port = 0) {
    this.#port = port;
    const unchanged = (bytes: Buffer) => bytes;
    const methods = Object.entries(serviceDefinition(service));
    const bytes = {
      requestSerialize: unchanged,
      requestDeserialize: unchanged,
      responseSerialize: unchanged,
      responseDeserialize: unchanged,
    };
    this.#server.addService(
      Object.fromEntries(methods.map(([name, method]) => [name, { ...method, ...bytes }])),
      Object.fromEntries(methods.map(([name, method]) => [name, method.requestStream ? this.#onStream : this.#onCall])),
    );
  }

  async start(): Promise<this> {
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${this.#port}`, ServerCredentials.createInsecure(), (failure, bound) =>
        failure ? reject(failure) : resolve(bound),
      );
    });
    this.address = `127.0.0.1:${port}`;
    return this;
  }

  async stop(): Promise<void> {
    this.#server.forceShutdown();
  }

  #onStream = (call: NodeStream) => this.stream(call);

  #onCall = (call: NodeCall, reply: sendUnaryData<Buffer>) => {
    this.calls.push(call);
    this.handle(call, reply);
  };
}
