import { BenchProcess } from "../harness/bench-process.ts";
import { inRounds, type Measured } from "../harness/figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { inferPath } from "../inference/requests.ts";
import { requestOf } from "./request.ts";
import { routeOf, startGateway } from "./running-gateway.ts";

const rounds = 5;

/** How much later answers come through a gateway than from the node itself, at a tenth of what the gateway can carry. */
export async function latency(place: Workplace): Promise<Measured[]> {
  const node = new BenchProcess<typeof import("./load/echo-node.ts")>(
    new URL("load/echo-node", import.meta.url),
    place,
  );
  const nodePort = await node.call("listen");
  const gateway = await startGateway(place, [routeOf("m", `127.0.0.1:${nodePort}`)]);
  const caller = new BenchProcess<typeof import("../harness/unary-load.ts")>(
    new URL("../harness/unary-load", import.meta.url),
    place,
  );
  const calls = { path: inferPath, requests: [requestOf(340)], connections: 1 };
  const busy = { ...calls, port: gateway.port, inFlightPerConnection: 16, durationMs: 3000 };
  await caller.call("rate", busy);
  const most = await caller.call("rate", busy);
  const perSecond = most.calls / most.seconds / 10;
  place.tell(`the gateway carries ${Math.round(perSecond * 10)} calls a second; latencies are at a tenth of that`);
  const at = (port: number) => () => caller.call("paced", { ...calls, port, perSecond, durationMs: 5000 });
  const { through, direct } = await inRounds(rounds, { through: at(gateway.port), direct: at(nodePort) });
  const added = (key: "p50Ms" | "p99Ms", bound: number): Measured => ({
    metric: `latency that a gateway adds at a tenth of its load, ${key.slice(0, 3)}`,
    unit: "ms",
    runs: through.map((figures, round) => ({ value: figures[key] - direct[round]![key] })),
    goal: { of: "value", kind: "at most", bound },
    ifMissed:
      key === "p50Ms"
        ? "a call is taken and sent on by node:http2, which costs two thirds of what a whole plain proxy of grpc-js does"
        : "collections of young objects take 2 ms, now and then 13; and the machine's pauses: straight to the node p99 is 4 to 13 ms here",
  });
  const whole = (key: "p50Ms" | "p99Ms"): Measured => ({
    metric: `latency through a gateway at a tenth of its load, ${key.slice(0, 3)}`,
    unit: "ms",
    runs: through.map((figures, round) => ({ value: figures[key], baseline: direct[round]![key] })),
    baselineOf: "the node itself",
  });
  return [added("p50Ms", 0.5), added("p99Ms", 2), whole("p50Ms"), whole("p99Ms")];
}
