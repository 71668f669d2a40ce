import { encodeMessage } from "../../lib/rpc/protos.ts";
import type { Workplace } from "../harness/scenario.ts";
import { bareServer } from "./processes.ts";

/** What a server with an empty handler of bare grpc-js is, as the baseline of a figure. */
export const ofEmpty = "an empty handler of bare grpc-js that moves the same bytes";

/** The same on the server that nodes have: what a node would be if it had nothing to do. */
export const ofEmptyOwn = "an empty handler on the server that nodes have";

/** Starts one of them, which answers as many bytes as a node does for the small model. */
export async function startEmpty(
  place: Workplace,
  listen: "listenEmpty" | "listenEmptyOwn",
): Promise<{ readonly pid: number; readonly port: number }> {
  const server = bareServer(place);
  const reply = encodeMessage("inference", "inference.ModelInferResponse", {
    modelName: "joined",
    modelVersion: "1",
    outputs: [{ name: "y", datatype: "FP32", shape: ["1", "10"] }],
    rawOutputContents: [Buffer.alloc(40)],
  });
  return { pid: server.pid, port: await server.call(listen, reply.toString("base64")) };
}
