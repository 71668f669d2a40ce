import { BenchProcess } from "../harness/bench-process.ts";
import { beside, inRounds, type Measured } from "../harness/figures.ts";
import { cpuSeconds } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { startNginx } from "./nginx.ts";
import { requestOf } from "./request.ts";
import { routeOf, startGateway } from "./running-gateway.ts";

const rounds = 5;
const sizes = [
  { name: "400 B", tensorBytes: 340, bound: 0.75 },
  { name: "600 KB", tensorBytes: 600_000, bound: 0.5 },
] as const;

/** Processor time of the gateway's process for each call that it forwards, beside a plain proxy of grpc-js, and beside nginx. */
export async function forwarding(place: Workplace): Promise<Measured[]> {
  const load = (name: string) => new URL(`load/${name}`, import.meta.url);
  const node = new BenchProcess<typeof import("./load/echo-node.ts")>(load("echo-node"), place);
  const nodePort = await node.call("listen");
  const gateway = await startGateway(place, [routeOf("m", `127.0.0.1:${nodePort}`)]);
  const proxy = new BenchProcess<typeof import("./load/plain-proxy.ts")>(load("plain-proxy"), place);
  const proxyPort = await proxy.call("listen", nodePort);
  const nginx = await startNginx(place, nodePort);
  const caller = new BenchProcess<typeof import("./load/http2-load.ts")>(load("http2-load"), place);
  const rows: Measured[] = [];
  for (const { name, tensorBytes, bound } of sizes) {
    const calls = { request: requestOf(tensorBytes), connections: 1, inFlight: 16, durationMs: 2000 };
    const measured =
      ({ pid, port }: { readonly pid: number; readonly port: number }) =>
      async () => {
        const before = await cpuSeconds(pid);
        const answered = await caller.call("rate", { ...calls, port });
        return (((await cpuSeconds(pid)) - before) / answered.calls) * 1e6;
      };
    const subjects = { gateway: measured(gateway), proxy: measured({ pid: proxy.pid, port: proxyPort }) };
    const figures = await inRounds(rounds, {
      ...subjects,
      nginx: nginx === undefined ? async () => Number.NaN : measured(nginx),
    });
    rows.push({
      metric: `processor time of a forwarded call, ${name}`,
      unit: "µs",
      runs: beside(figures.gateway, figures.proxy),
      baselineOf: "a proxy of grpc-js that decodes and encodes",
      goal: { of: "ratio", kind: "at most", bound },
    });
    if (nginx !== undefined) {
      rows.push({
        metric: `processor time of a forwarded call, ${name}`,
        unit: "µs",
        runs: beside(figures.gateway, figures.nginx),
        baselineOf: "grpc_pass of nginx",
      });
    }
  }
  return rows;
}
