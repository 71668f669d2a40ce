import { setTimeout as passed } from "node:timers/promises";
import type { ModelRoute } from "../../lib/gen/amaas/registry/v1/ModelRoute.ts";
import { BenchProcess } from "../harness/bench-process.ts";
import { beside, inRounds, type Measured } from "../harness/figures.ts";
import { cpuSeconds } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { inferPath } from "../inference/requests.ts";
import { requestOf } from "./request.ts";
import { routeOf, startGateway } from "./running-gateway.ts";

const rounds = 5;
const tensorBytes = 340;
const inFlight = 16;
const durationMs = 1500;

/** Processor time of the gateway for a call that is counted in limits, that is copied, or that comes by REST, beside one that is none of it. */
export async function features(place: Workplace): Promise<Measured[]> {
  const load = (name: string) => new URL(`load/${name}`, import.meta.url);
  const node = new BenchProcess<typeof import("./load/echo-node.ts")>(load("echo-node"), place);
  const address = `127.0.0.1:${await node.call("listen")}`;
  const plain = routeOf("m", address);
  const gateway = await startGateway(place, [plain, limitedOf(address), mirroredOf(address)]);
  const grpc = new BenchProcess<typeof import("../harness/unary-load.ts")>(
    new URL("../harness/unary-load", import.meta.url),
    place,
  );
  const rest = new BenchProcess<typeof import("./load/http-load.ts")>(load("http-load"), place);
  const microsOf = async (calls: () => Promise<{ readonly calls: number }>) => {
    const before = await cpuSeconds(gateway.pid);
    const answered = await calls();
    // What copies still do is theirs.
    await passed(100);
    return (((await cpuSeconds(gateway.pid)) - before) / answered.calls) * 1e6;
  };
  const byGrpc = (model: string) => () =>
    microsOf(() => {
      const requests = [requestOf(tensorBytes, model)];
      const calls = { port: gateway.port, path: inferPath, requests };
      return grpc.call("rate", { ...calls, connections: 1, inFlightPerConnection: inFlight, durationMs });
    });
  const byRest = (body: RestBody) => () =>
    microsOf(() =>
      rest.call("rate", { ...body, port: gateway.httpPort, path: "/v2/models/m/infer", inFlight, durationMs }),
    );
  const figures = await inRounds(rounds, {
    plain: byGrpc("m"),
    limited: byGrpc("limited"),
    mirrored: byGrpc("mirrored"),
    json: byRest(jsonBody()),
    binary: byRest(binaryBody()),
  });
  const row = (what: string, values: readonly number[]): Measured => ({
    metric: `processor time of a call, ${what}, 400 B`,
    unit: "µs",
    runs: beside(values, figures.plain),
    baselineOf: "a call by gRPC without",
  });
  return [
    row("counted in four limits of its principal and four of all", figures.limited),
    row("copied to a mirror, whose answers are compared", figures.mirrored),
    row("by REST as JSON", figures.json),
    row("by REST with binary tensors", figures.binary),
  ];
}

/** With limits that are never reached. */
function limitedOf(address: string): ModelRoute {
  const limits = { requestsPerSecond: 1e9, concurrentRequests: 1e6, rowsPerSecond: 1e9, bytesPerSecond: 1e12 };
  return { ...routeOf("limited", address), traffic: { perPrincipal: limits, total: limits } };
}

/** Every call is copied. */
function mirroredOf(address: string): ModelRoute {
  const versions = [1, 2].map((version) => ({ version, addresses: [address] }));
  const targets = [{ version: 1, weight: 1 }];
  return { model: "mirrored", versions, aliases: { default: { targets, mirrors: [{ version: 2, share: 1 }] } } };
}

/** What is posted, as base64, and how it is written. */
interface RestBody {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

function jsonBody(): RestBody {
  const input = { name: "x", datatype: "UINT8", shape: [1, tensorBytes], data: Array(tensorBytes).fill(7) };
  const body = Buffer.from(JSON.stringify({ inputs: [input] }));
  return { body: body.toString("base64"), headers: { "content-type": "application/json" } };
}

/** Triton's binary tensor data: https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md */
function binaryBody(): RestBody {
  const parameters = { binary_data_size: tensorBytes };
  const input = { name: "x", datatype: "UINT8", shape: [1, tensorBytes], parameters };
  const header = Buffer.from(JSON.stringify({ parameters: { binary_data_output: true }, inputs: [input] }));
  const headers = {
    "content-type": "application/octet-stream",
    "inference-header-content-length": String(header.length),
  };
  return { body: Buffer.concat([header, Buffer.alloc(tensorBytes, 7)]).toString("base64"), headers };
}
