import { BenchProcess } from "../harness/bench-process.ts";
import type { Measured } from "../harness/figures.ts";
import { inIdleRounds } from "../harness/idle-rounds.ts";
import type { Workplace } from "../harness/scenario.ts";
import { inferPath } from "../inference/requests.ts";
import type { Latency } from "./load/alternating.ts";
import { startNginx } from "./nginx.ts";
import { requestOf } from "./request.ts";
import { routeOf, startGateway } from "./running-gateway.ts";

const rounds = 9;

/**
 * How much later answers come through a gateway than from the node itself, at a tenth of what the gateway can carry. One process calls
 * both by turns, and nginx in the place of the gateway, which says what a machine allows: pauses of the machine, which are longer than what
 * is measured, are no gateway's.
 */
export async function latency(place: Workplace): Promise<Measured[]> {
  const node = new BenchProcess<typeof import("./load/echo-node.ts")>(
    new URL("load/echo-node", import.meta.url),
    place,
  );
  const nodePort = await node.call("listen");
  const gateway = await startGateway(place, [routeOf("m", `127.0.0.1:${nodePort}`)]);
  const busyCaller = new BenchProcess<typeof import("../harness/unary-load.ts")>(
    new URL("../harness/unary-load", import.meta.url),
    place,
  );
  const calls = { path: inferPath, requests: [requestOf(340)] };
  const busy = { ...calls, port: gateway.port, connections: 1, inFlightPerConnection: 16, durationMs: 3000 };
  await busyCaller.call("rate", busy);
  const most = await busyCaller.call("rate", busy);
  await busyCaller.stop();
  const perSecond = most.calls / most.seconds / 10;
  place.tell(`the gateway carries ${Math.round(perSecond * 10)} calls a second; latencies are at a tenth of that`);
  const nginx = await startNginx(place, nodePort);
  const caller = new BenchProcess<typeof import("./load/alternating.ts")>(
    new URL("load/alternating", import.meta.url),
    place,
  );
  const ports = [nodePort, gateway.port, ...(nginx === undefined ? [] : [nginx.port])];
  const { figures, othersShares, said } = await inIdleRounds(rounds, {
    seen: () => caller.call("alternate", { ...calls, ports, perSecond, durationMs: 1500 }),
  });
  const runs = figures.seen.map(([direct, through, byNginx]) => ({ direct: direct!, through: through!, byNginx }));
  const added = (key: keyof Latency, bound: number, ifMissed: string): Measured => ({
    metric: `latency that a gateway adds at a tenth of its load, ${key.slice(0, 3)}`,
    unit: "ms",
    runs: runs.map(({ direct, through }) => ({ value: through[key] - direct[key] })),
    goal: { of: "value", kind: "at most", bound },
    ifMissed: `${ifMissed}; ${said}`,
  });
  const addedByNginx = (key: keyof Latency): Measured => ({
    metric: `latency that grpc_pass of nginx adds at the same load, ${key.slice(0, 3)}`,
    unit: "ms",
    runs: runs.map(({ direct, byNginx }) => ({ value: byNginx![key] - direct[key] })),
  });
  const whole = (key: keyof Latency): Measured => ({
    metric: `latency through a gateway at a tenth of its load, ${key.slice(0, 3)}`,
    unit: "ms",
    runs: runs.map(({ direct, through }) => ({ value: through[key], baseline: direct[key] })),
    baselineOf: "the node itself",
  });
  return [
    added("p50Ms", 0.5, "code that is not in the processor's caches, since little has run it of late"),
    added(
      "p99Ms",
      2,
      "pauses of the machine, which nginx shows as well; collections are not it: there are one or two a second, of less than 1 ms",
    ),
    ...(nginx === undefined ? [] : [addedByNginx("p50Ms"), addedByNginx("p99Ms")]),
    whole("p50Ms"),
    whole("p99Ms"),
    {
      metric: "processor time that other programs and the machine's host had meanwhile",
      unit: "%",
      runs: othersShares.map((share) => ({ value: 100 * share })),
    },
  ];
}
