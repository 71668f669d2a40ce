import { type Measured, median } from "../harness/figures.ts";
import { residentOf } from "../harness/process-figures.ts";
import type { Scenarios, Workplace } from "../harness/scenario.ts";
import { startNode } from "../inference/running-node.ts";
import { breach } from "./broken-frames.ts";
import { heldModels } from "./models.ts";
import { type FuzzOutcome, fuzz } from "./run.ts";

const seed = 1;
const messagesMin = 100_000;
const slice = { calls: 4000, breaches: 44 };
/** Slices after which memory has settled, and whose median is what it is compared with. */
const settling = { after: 2, slices: 3 };
const mib = 1024 ** 2;

/** What a node makes of calls that are wrong. */
export const scenarios: Scenarios = { inference };

async function inference(place: Workplace): Promise<Measured[]> {
  const node = await startNode(place, { name: "fuzz", models: heldModels() });
  const outcomes: FuzzOutcome[] = [];
  const residentMib: number[] = [];
  for (let messages = 0; messages < messagesMin; messages += outcomes.at(-1)!.messages) {
    const first = outcomes.length * slice.calls;
    outcomes.push(await fuzz({ port: node.port, seed, first, count: slice.calls }));
    const numbers = Array.from({ length: slice.breaches }, (_, index) => outcomes.length * slice.breaches + index);
    await Promise.all(numbers.map((index) => breach(node.port, seed, index)));
    residentMib.push((await residentOf(node.pid)).nowBytes / mib);
  }
  const wrong = outcomes.flatMap(({ unanswered, blamed }) => [...unanswered, ...blamed]);
  for (const line of wrong.slice(0, 20)) place.tell(line);
  const settled = residentMib.slice(settling.after, settling.after + settling.slices);
  const none = { of: "value", kind: "at most", bound: 0 } as const;
  return [
    {
      metric: "mutated messages",
      unit: "messages",
      runs: [{ value: sum(outcomes.map(({ messages }) => messages)) }],
      goal: { of: "value", kind: "at least", bound: messagesMin },
    },
    { ...count("calls without a status", outcomes, ({ unanswered }) => unanswered.length), goal: none },
    { ...count("calls that the node takes the blame for", outcomes, ({ blamed }) => blamed.length), goal: none },
    {
      metric: "resident memory in the end",
      unit: "MiB",
      runs: [{ value: median(residentMib.slice(-settling.slices)), baseline: median(settled) }],
      baselineOf: `after ${settling.after * slice.calls} calls`,
      goal: { of: "ratio", kind: "at most", bound: 1.1 },
    },
    ...[...new Set(outcomes.flatMap(({ statuses }) => Object.keys(statuses)))]
      .sort()
      .map((status) => count(`answered with ${status}`, outcomes, ({ statuses }) => statuses[status] ?? 0)),
  ];
}

function count(metric: string, outcomes: readonly FuzzOutcome[], of: (outcome: FuzzOutcome) => number): Measured {
  return { metric, unit: "calls", runs: [{ value: sum(outcomes.map(of)) }] };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
