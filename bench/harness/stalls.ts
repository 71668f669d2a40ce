import { readFile } from "node:fs/promises";
import type { Measured } from "./figures.ts";
import { IdleTimer } from "./idle-timer.ts";

/** A process that serves metrics. */
export interface Metered {
  readonly pid: number;
  readonly metricsPort: number;
}

/** How the event loop of a process stood still during a load. */
export interface Stalls {
  /** Those of more than 10 ms. */
  readonly stallCount: number;
  /** What the longest delay was not above: the end of the histogram's last range that has grown. */
  readonly longestMs: number;
  /** How long the thread of the event loop was ready to run and had no core, in milliseconds for each second. */
  readonly waitMsPerSecond: number;
  /** How often a timer of an idle process was late by more than 10 ms at the same time, and by how much at most. */
  readonly idle: { readonly lateCount: number; readonly latestMs: number };
}

/** Puts load on a process, and tells how its event loop stood still meanwhile: the difference of its metrics. */
export async function withStalls<Result extends object>(
  process: Metered,
  load: () => Promise<Result>,
): Promise<Result & Stalls> {
  const before = await readDelays(process);
  const [beginMs, waitedMs] = [performance.now(), await waitedMsOf(process)];
  const timer = new IdleTimer();
  const result = await load().finally(() => timer.stop());
  const waitMsPerSecond = ((await waitedMsOf(process)) - waitedMs) / ((performance.now() - beginMs) / 1000);
  const after = await readDelays(process);
  // What is counted up to the end of a range is counted in all later ones too.
  const total = after.upTo.get(Infinity)! - before.upTo.get(Infinity)!;
  const longest = [...after.upTo].find(([bound, count]) => count - before.upTo.get(bound)! === total)![0];
  return {
    ...result,
    stallCount: after.stallCount - before.stallCount,
    longestMs: Math.min(longest, after.maxSeconds) * 1000,
    waitMsPerSecond,
    idle: timer.figures,
  };
}

/** The rows of all windows of one load; `said` is a sentence on how idle the machine was, for goals that are missed. */
export function stallRows(metric: string, windows: readonly Stalls[], said: string): Measured[] {
  const count = windows.reduce((sum, { stallCount }) => sum + stallCount, 0);
  const longestMs = Math.max(...windows.map((window) => window.longestMs));
  return [
    {
      metric: `${metric}, stalls of the event loop of more than ${stallMs} ms`,
      unit: "stalls",
      runs: [{ value: count }],
      goal: { of: "value", kind: "at most", bound: 0 },
      ifMissed: `${ifMissed}; ${said}`,
    },
    {
      metric: `${metric}, longest delay of the event loop`,
      unit: "ms",
      runs: [{ value: longestMs }],
      goal: { of: "value", kind: "at most", bound: stallMs },
      ifMissed: `${ifMissed}; ${said}`,
    },
    {
      metric: `${metric}, the event loop's thread is ready and has no core`,
      unit: "ms/s",
      runs: windows.map(({ waitMsPerSecond }) => ({ value: waitMsPerSecond })),
    },
    {
      metric: `${metric}, a timer of an idle process meanwhile, late by more than ${stallMs} ms`,
      unit: "times",
      runs: [{ value: windows.reduce((sum, { idle }) => sum + idle.lateCount, 0) }],
    },
    {
      metric: `${metric}, a timer of an idle process meanwhile, late at most`,
      unit: "ms",
      runs: [{ value: Math.max(...windows.map(({ idle }) => idle.latestMs)) }],
    },
  ];
}

const stallMs = 10;
const ifMissed =
  "the load, the event loop and the sessions share the cores: of the turns that were that long the thread computed for a few milliseconds, and had " +
  "no core for the others";

/** How long the first thread of a process was ready to run and had no core, since its start. */
async function waitedMsOf({ pid }: Metered): Promise<number> {
  const [, waitedNs] = (await readFile(`/proc/${pid}/schedstat`, "utf8")).split(" ");
  return Number(waitedNs) / 1e6;
}

/** What a process says of its event loop since its start. */
interface Delays {
  /** How often it was not later than so many seconds, ascending. */
  readonly upTo: ReadonlyMap<number, number>;
  readonly stallCount: number;
  readonly maxSeconds: number;
}

async function readDelays({ metricsPort }: Metered): Promise<Delays> {
  const response = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
  const text = await response.text();
  const numberOf = (name: string) => Number(new RegExp(`^${name} (.*)$`, "m").exec(text)![1]);
  const buckets = text.matchAll(/^amaas_event_loop_delay_seconds_bucket\{le="(.*)"\} (.*)$/gm);
  return {
    upTo: new Map([...buckets].map(([, bound, count]) => [bound === "+Inf" ? Infinity : Number(bound), Number(count)])),
    stallCount: numberOf("amaas_event_loop_stalls_total"),
    maxSeconds: numberOf("amaas_event_loop_delay_max_seconds"),
  };
}
