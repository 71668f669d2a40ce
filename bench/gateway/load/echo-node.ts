import type { GRPCInferenceServiceHandlers } from "../../../lib/gen/inference/GRPCInferenceService.ts";
import { createLog } from "../../../lib/log.ts";
import { Encoded } from "../../../lib/rpc/encoded.ts";
import { encodeMessage } from "../../../lib/rpc/protos.ts";
import { RpcServer } from "../../../lib/rpc/server.ts";

/** What a stream is answered. */
interface StreamAnswer {
  readonly messages: number;
  readonly messageBytes: number;
}

/**
 * A node without an engine, on the server that nodes have: it answers every inference with a tensor of as many bytes as it was sent, and
 * every request of a stream with so many messages. Answers its port.
 */
export function listen(ofStreams: StreamAnswer = { messages: 1, messageBytes: 400 }): Promise<number> {
  const replies = new Map<number, Encoded<object>>();
  const replyTo = (tensorBytes: number) => {
    const reply = replies.get(tensorBytes) ?? replyOf(tensorBytes);
    replies.set(tensorBytes, reply);
    return reply;
  };
  const ofStream = replyOf(ofStreams.messageBytes - headBytes);
  const config = { host: "127.0.0.1", port: 0, messageBytesMax: 2 ** 30, drainTimeoutMs: 0 };
  const server = new RpcServer(config, createLog("node", "silent"));
  server.implement<GRPCInferenceServiceHandlers>("inference.GRPCInferenceService", {
    ModelInfer: ({ rawInputContents }) => replyTo(rawInputContents[0]!.length),
    ModelStreamInfer: async function* (requests) {
      for await (const _ of requests) for (let count = 0; count < ofStreams.messages; count++) yield ofStream;
    },
  });
  return server.start();
}

function replyOf(tensorBytes: number): Encoded<object> {
  const outputs = [{ name: "y", datatype: "UINT8", shape: ["1", String(tensorBytes)] }];
  const reply = { modelName: "m", modelVersion: "1", outputs, rawOutputContents: [Buffer.alloc(tensorBytes, 7)] };
  return new Encoded(encodeMessage("inference", "inference.ModelInferResponse", reply));
}

/** What a reply has besides its tensor, about. */
const headBytes = 40;
