import { encodeMessage } from "../../lib/rpc/protos.ts";
import { beside, inRounds, type Measured } from "../harness/figures.ts";
import { cpuSeconds } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { smallModel } from "./models.ts";
import { bareServer, unaryLoad } from "./processes.ts";
import { inferPath, smallRequests } from "./requests.ts";
import { startNode } from "./running-node.ts";

const rounds = 7;
const load = { path: inferPath, connections: 4, inFlightPerConnection: 16, durationMs: 2000 };
const concurrency = load.connections * load.inFlightPerConnection;

/** A small model called by 64 at once, with and without batching, and beside grpc-js alone with the same bytes. */
export async function small(place: Workplace): Promise<Measured[]> {
  const file = smallModel();
  // A model as small as this gains nothing by more threads.
  const instanceGroups = [{ count: 1, intraOpThreads: 1 }];
  const models = [
    { name: "single", file, settings: { instanceGroups } },
    { name: "joined", file, settings: { instanceGroups, dynamicBatching: { maxBatchSize: 64 } } },
  ];
  const node = await startNode(place, { name: "small", models });
  const bare = bareServer(place);
  const barePort = await bare.call("listenEmpty", reply());
  const caller = unaryLoad(place);
  const measured =
    ({ pid }: { readonly pid: number }, port: number, model: string) =>
    async () => {
      const before = await cpuSeconds(pid);
      const answered = await caller.call("rate", { ...load, port, requests: smallRequests(model) });
      const cpu = (((await cpuSeconds(pid)) - before) / answered.calls) * 1e6;
      return { rate: answered.calls / answered.seconds, cpu };
    };
  const figures = await inRounds(rounds, {
    bare: measured(bare, barePort, "joined"),
    single: measured(node, node.port, "single"),
    joined: measured(node, node.port, "joined"),
  });
  const side = (subject: keyof typeof figures, baseline: keyof typeof figures, figure: "rate" | "cpu" = "rate") =>
    beside(
      figures[subject].map((run) => run[figure]),
      figures[baseline].map((run) => run[figure]),
    );
  const metric = `784-512-10, ${concurrency} at once`;
  const ofEmpty = "an empty handler of bare grpc-js that moves the same bytes";
  return [
    {
      metric: `${metric}, batching`,
      unit: "1/s",
      runs: side("joined", "single"),
      baselineOf: "without batching",
      goal: { of: "ratio", kind: "at least", bound: 2.5 },
    },
    {
      metric: `${metric}, batching`,
      unit: "1/s",
      runs: side("joined", "bare"),
      baselineOf: ofEmpty,
      goal: { of: "ratio", kind: "at least", bound: 0.8 },
      ifMissed:
        "two cores carry the load, the event loop and the session: a call takes about 80 µs of processor time where the empty " +
        "handler takes 45, of which a quarter is garbage collection and the rest decoding, joining and the thread's own work",
    },
    {
      metric: `${metric}, batching, processor time per call`,
      unit: "µs",
      runs: side("joined", "bare", "cpu"),
      baselineOf: ofEmpty,
    },
    {
      metric: `${metric}, no batching`,
      unit: "1/s",
      runs: side("single", "bare"),
      baselineOf: ofEmpty,
    },
  ];
}

/** As many bytes as a node answers. */
function reply(): string {
  const message = {
    modelName: "joined",
    modelVersion: "1",
    outputs: [{ name: "y", datatype: "FP32", shape: ["1", "10"] }],
    rawOutputContents: [Buffer.alloc(40)],
  };
  return encodeMessage("inference", "inference.ModelInferResponse", message).toString("base64");
}
