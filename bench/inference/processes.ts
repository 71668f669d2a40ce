import { BenchProcess } from "../harness/bench-process.ts";
import { keepToOneCore } from "../harness/one-core.ts";
import type { Workplace } from "../harness/scenario.ts";

const load = (name: string) => new URL(`load/${name}`, import.meta.url);

/** The processes that the scenarios start beside the nodes. */
export const bareServer = (place: Workplace) =>
  new BenchProcess<typeof import("./load/bare-server.ts")>(load("bare-server"), place);
export const bareSession = (place: Workplace) =>
  new BenchProcess<typeof import("./load/bare-session.ts")>(load("bare-session"), place);
export const countingNode = (place: Workplace) =>
  new BenchProcess<typeof import("./load/counting-node.ts")>(load("counting-node"), place);

/** The load of all scenarios; it keeps to one core. */
export function unaryLoad(place: Workplace): BenchProcess<typeof import("../harness/unary-load.ts")> {
  const load = new BenchProcess<typeof import("../harness/unary-load.ts")>(
    new URL("../harness/unary-load", import.meta.url),
    place,
  );
  keepToOneCore(load.pid);
  return load;
}
