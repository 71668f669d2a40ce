import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { encodeMessage } from "../../../lib/rpc/protos.ts";
import { inferPath } from "../../inference/requests.ts";

/** A node of bare grpc-js that answers every inference with as many bytes as it was sent. Answers its port. */
export function listen(): Promise<number> {
  const replies = new Map<number, Buffer>();
  const unchanged = (bytes: Buffer) => bytes;
  const handle = (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
    const { length } = call.request;
    if (!replies.has(length)) replies.set(length, replyOf(length));
    answer(null, replies.get(length)!);
  };
  const server = new Server({ "grpc.max_receive_message_length": -1 });
  server.register(inferPath, handle as never, unchanged, unchanged, "unary");
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (failure, port) =>
      failure ? reject(failure) : resolve(port),
    );
  });
}

function replyOf(length: number): Buffer {
  const outputs = [{ name: "y", datatype: "UINT8", shape: ["1", String(length)] }];
  const reply = { modelName: "m", modelVersion: "1", outputs, rawOutputContents: [Buffer.alloc(length - 40, 7)] };
  return encodeMessage("inference", "inference.ModelInferResponse", reply);
}
