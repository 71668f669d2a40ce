import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import type { GRPCInferenceServiceHandlers } from "../../../lib/gen/inference/GRPCInferenceService.ts";
import { createLog } from "../../../lib/log.ts";
import { Encoded } from "../../../lib/rpc/encoded.ts";
import { RpcServer } from "../../../lib/rpc/server.ts";
import { inferPath } from "../requests.ts";

/** A server of bare grpc-js that answers every inference with the same bytes, and reads none. Answers its port. */
export function listenEmpty(replyBase64: string): Promise<number> {
  const unchanged = (bytes: Buffer) => bytes;
  const reply = Buffer.from(replyBase64, "base64");
  const handle = (_: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => answer(null, reply);
  const server = new Server();
  server.register(inferPath, handle as never, unchanged, unchanged, "unary");
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (failure, port) =>
      failure ? reject(failure) : resolve(port),
    );
  });
}

/** The same on the server that nodes have, which decodes the requests as theirs does. Answers its port. */
export function listenEmptyOwn(replyBase64: string): Promise<number> {
  const config = { host: "127.0.0.1", port: 0, messageBytesMax: 2 ** 20, drainTimeoutMs: 0 };
  const reply = new Encoded<object>(Buffer.from(replyBase64, "base64"));
  const server = new RpcServer(config, createLog("empty", "silent"));
  server.implement<GRPCInferenceServiceHandlers>("inference.GRPCInferenceService", { ModelInfer: () => reply });
  return server.start();
}
