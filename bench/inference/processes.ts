import { BenchProcess } from "../harness/bench-process.ts";
import type { Workplace } from "../harness/scenario.ts";

const load = (name: string) => new URL(`load/${name}`, import.meta.url);

/** The processes that the scenarios start beside the nodes. */
export const bareServer = (place: Workplace) =>
  new BenchProcess<typeof import("./load/bare-server.ts")>(load("bare-server"), place);
export const bareSession = (place: Workplace) =>
  new BenchProcess<typeof import("./load/bare-session.ts")>(load("bare-session"), place);
export const unaryLoad = (place: Workplace) =>
  new BenchProcess<typeof import("../harness/unary-load.ts")>(new URL("../harness/unary-load", import.meta.url), place);
export const countingNode = (place: Workplace) =>
  new BenchProcess<typeof import("./load/counting-node.ts")>(load("counting-node"), place);
