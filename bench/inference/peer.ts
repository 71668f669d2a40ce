import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../lib/errors.ts";
import { beside, inRounds, type Measured, median } from "../harness/figures.ts";
import { PythonPackages } from "../harness/python.ts";
import type { Workplace } from "../harness/scenario.ts";
import { smallModel } from "./models.ts";
import { unaryLoad } from "./processes.ts";
import { inferPath, smallRequests } from "./requests.ts";
import { startNode } from "./running-node.ts";
import { peerModel, type RunningPeer, startMlServer, startPlainServer } from "./running-peer.ts";

const rounds = 5;
const load = { path: inferPath, requests: smallRequests(peerModel), connections: 4, durationMs: 2000 };
const inFlightPerConnection = 16;
const concurrency = load.connections * inFlightPerConnection;

/** A small model as Python serves it, called in the same way. */
export async function peer(place: Workplace): Promise<Measured[]> {
  const file = smallModel();
  const path = join(place.folder, "peer.onnx");
  await writeFile(path, file);
  const packages = new PythonPackages(place, "bench-peer");
  const plain = { what: "grpc.aio and onnxruntime alone", ...(await startPlainServer(place, packages, path)) };
  const mlServer = await startMlServer(place, packages, path).catch((failure: unknown) => messageOf(failure));
  const models = [{ name: peerModel, file, settings: { dynamicBatching: { maxBatchSize: 64 } } }];
  const node = await startNode(place, { name: "peer", models });
  if (typeof mlServer === "string") {
    place.tell(`MLServer cannot be measured: ${mlServer}`);
    return besidePeer(place, node.port, { ...plain, what: `${plain.what}, since MLServer does not start` }, goals);
  }
  return [
    ...(await besidePeer(place, node.port, { what: "MLServer", ...mlServer }, goals)),
    ...(await besidePeer(place, node.port, plain, {})),
  ];
}

type Goals = Partial<Record<"rate" | "p99", NonNullable<Measured["goal"]>>>;

const goals: Goals = {
  rate: { of: "ratio", kind: "at least", bound: 3 },
  p99: { of: "ratio", kind: "at most", bound: 1 },
};

async function besidePeer(
  place: Workplace,
  nodePort: number,
  { what, port }: RunningPeer & { readonly what: string },
  { rate, p99 }: Goals,
): Promise<Measured[]> {
  const caller = unaryLoad(place);
  const rateOf = (port: number) => async () => {
    const { calls, seconds } = await caller.call("rate", { ...load, port, inFlightPerConnection });
    return calls / seconds;
  };
  const rates = await inRounds(rounds, { node: rateOf(nodePort), peer: rateOf(port) });
  const perSecond = median(rates.peer) / 2;
  const pacedAt = (port: number) => () => caller.call("paced", { ...load, port, perSecond });
  const paced = await inRounds(rounds, { node: pacedAt(nodePort), peer: pacedAt(port) });
  await caller.stop();
  const metric = "784-512-10, batching";
  return [
    {
      metric: `${metric}, ${concurrency} at once`,
      unit: "1/s",
      runs: beside(rates.node, rates.peer),
      baselineOf: what,
      ...(rate && { goal: rate }),
    },
    {
      metric: `${metric}, half of the load that the baseline takes, p99`,
      unit: "ms",
      runs: beside(
        paced.node.map(({ p99Ms }) => p99Ms),
        paced.peer.map(({ p99Ms }) => p99Ms),
      ),
      baselineOf: what,
      fault: paced.node.find(({ behind }) => behind !== undefined)?.behind,
      ...(p99 && { goal: p99 }),
    },
  ];
}
