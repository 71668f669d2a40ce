import { encodeMessage } from "../../lib/rpc/protos.ts";
import type { Workplace } from "../harness/scenario.ts";
import { bareServer, unaryLoad } from "./processes.ts";
import { inferPath } from "./requests.ts";

/** What a server with an empty handler of bare grpc-js is, as the baseline of a figure. */
export const ofEmpty = "an empty handler of bare grpc-js that moves the same bytes";

/** The same on the server that nodes have: what a node would be if it had nothing to do. */
export const ofEmptyOwn = "an empty handler on the server that nodes have";

/** Starts one of them, which answers as many bytes as a node does for the small model. */
export async function startEmpty(
  place: Workplace,
  listen: "listenEmpty" | "listenEmptyOwn",
): Promise<{ readonly pid: number; readonly port: number; readonly stop: () => Promise<void> }> {
  const server = bareServer(place);
  const reply = encodeMessage("inference", "inference.ModelInferResponse", {
    modelName: "joined",
    modelVersion: "1",
    outputs: [{ name: "y", datatype: "FP32", shape: ["1", "10"] }],
    rawOutputContents: [Buffer.alloc(40)],
  });
  return {
    pid: server.pid,
    port: await server.call(listen, reply.toString("base64")),
    stop: () => server.stop(),
  };
}

/**
 * A load of another process that has made calls of such requests for three seconds, of a server with nothing to do: its code is compiled, as that of
 * a load is that has gone on for long. At a hundred calls a second that would take minutes, and the cores that it needs meanwhile are those of
 * who answers.
 */
export async function warmLoad(place: Workplace, requests: readonly string[]): Promise<ReturnType<typeof unaryLoad>> {
  const { port, stop } = await startEmpty(place, "listenEmptyOwn");
  const load = unaryLoad(place);
  const calls = { port, path: inferPath, requests, connections: 1, inFlightPerConnection: 8, durationMs: 3000 };
  await load.call("rate", calls);
  await stop();
  return load;
}
