import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { encodeMessage } from "../../../lib/rpc/protos.ts";
import { inferPath } from "../../inference/requests.ts";

/** What a stream is answered. */
interface StreamAnswer {
  readonly messages: number;
  readonly messageBytes: number;
}

/**
 * A node of bare grpc-js that answers every inference with as many bytes as it was sent, and every request of a stream with so many
 * messages. Answers its port.
 */
export function listen(ofStreams: StreamAnswer = { messages: 1, messageBytes: 400 }): Promise<number> {
  const replies = new Map<number, Buffer>();
  const unchanged = (bytes: Buffer) => bytes;
  const handle = (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
    const { length } = call.request;
    if (!replies.has(length)) replies.set(length, replyOf(length));
    answer(null, replies.get(length)!);
  };
  const server = new Server({ "grpc.max_receive_message_length": -1 });
  server.register(inferPath, handle as never, unchanged, unchanged, "unary");
  const streamReply = replyOf(ofStreams.messageBytes);
  const stream = (call: ServerDuplexStream<Buffer, Buffer>) => {
    call.on("data", () => {
      for (let count = 0; count < ofStreams.messages; count++) call.write(streamReply);
    });
    call.on("end", () => call.end());
  };
  server.register(streamPath, stream as never, unchanged, unchanged, "bidi");
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (failure, port) =>
      failure ? reject(failure) : resolve(port),
    );
  });
}

const streamPath = "/inference.GRPCInferenceService/ModelStreamInfer";

function replyOf(length: number): Buffer {
  const tensorBytes = length - 40;
  const outputs = [{ name: "y", datatype: "UINT8", shape: ["1", String(tensorBytes)] }];
  const reply = { modelName: "m", modelVersion: "1", outputs, rawOutputContents: [Buffer.alloc(tensorBytes, 7)] };
  return encodeMessage("inference", "inference.ModelInferResponse", reply);
}
