import { setTimeout as passed } from "node:timers/promises";
import { BenchProcess } from "../harness/bench-process.ts";
import type { Measured } from "../harness/figures.ts";
import { residentOf } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { requestOf } from "./request.ts";
import { routeOf, startGateway } from "./running-gateway.ts";

const connections = 10_000;
const streams = 1000;
/** What each stream is sent, and nobody reads. */
const messages = 64;
const messageBytes = 128 * 1024;
const minutes = 10;
const mib = 1024 ** 2;

/**
 * What a gateway holds for very many connections that do nothing, and for streams that nobody reads though much more waits for each
 * than it may hold, and whether that stays as it is.
 */
export async function memory(place: Workplace): Promise<Measured[]> {
  const load = (name: string) => new URL(`load/${name}`, import.meta.url);
  const node = new BenchProcess<typeof import("./load/echo-node.ts")>(load("echo-node"), place);
  const nodePort = await node.call("listen", { messages, messageBytes });
  const gateway = await startGateway(place, [routeOf("m", `127.0.0.1:${nodePort}`)]);
  const caller = new BenchProcess<typeof import("./load/idle-callers.ts")>(load("idle-callers"), place);
  const residentMib = async () => (await residentOf(gateway.pid)).nowBytes / mib;
  const empty = await residentMib();
  await caller.call("connectMany", gateway.port, connections);
  const connected = await residentMib();
  await caller.call("openStreams", gateway.port, streams, requestOf(340));
  await passed(20_000);
  const opened = await residentMib();
  const later: number[] = [];
  for (let minute = 1; minute <= minutes; minute++) {
    await passed(60_000);
    later.push(await residentMib());
    place.tell(`${later.at(-1)!.toFixed(0)} MiB after ${minute} minutes`);
  }
  if (!(await caller.call("areConnected"))) throw new Error("a connection or stream was lost");
  return [
    { metric: "memory of a gateway without callers", unit: "MiB", runs: [{ value: empty }] },
    {
      metric: `memory for each of ${connections} idle connections`,
      unit: "KiB",
      runs: [{ value: ((connected - empty) / connections) * 1024 }],
    },
    {
      metric: `memory for each of ${streams} streams that nobody reads`,
      unit: "KiB",
      runs: [{ value: ((opened - connected) / streams) * 1024 }],
      // What is held of answers, and what their buffers have besides.
      goal: { of: "value", kind: "at most", bound: 1024 },
    },
    {
      metric: `memory ${minutes} minutes later`,
      unit: "MiB",
      runs: [{ value: Math.max(...later), baseline: opened }],
      baselineOf: "before",
      goal: { of: "ratio", kind: "at most", bound: 1.05 },
    },
  ];
}
