import { BenchProcess } from "../harness/bench-process.ts";
import type { Workplace } from "../harness/scenario.ts";

const load = (name: string) => new URL(`load/${name}`, import.meta.url);

/** The processes that the scenarios start beside the registry. */
export const bareServer = (place: Workplace) =>
  new BenchProcess<typeof import("./load/bare-server.ts")>(load("bare-server"), place);
export const registryCalls = (place: Workplace) =>
  new BenchProcess<typeof import("./load/registry-calls.ts")>(load("registry-calls"), place);
export const transfers = (place: Workplace) =>
  new BenchProcess<typeof import("./load/transfer.ts")>(load("transfer"), place);
export const durableDisk = (place: Workplace) =>
  new BenchProcess<typeof import("./load/durable-disk.ts")>(load("durable-disk"), place);
export const simulatedNodes = (place: Workplace) =>
  new BenchProcess<typeof import("./load/nodes.ts")>(load("nodes"), place);
export const simulatedGateways = (place: Workplace) =>
  new BenchProcess<typeof import("./load/gateways.ts")>(load("gateways"), place);
export const unaryLoad = (place: Workplace) =>
  new BenchProcess<typeof import("../harness/unary-load.ts")>(new URL("../harness/unary-load", import.meta.url), place);
