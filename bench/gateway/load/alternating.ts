import { setInterval } from "node:timers/promises";
import { Caller, type Calls } from "../../harness/caller.ts";
import { quantile } from "../../harness/figures.ts";

/** The same calls to several servers in turn, each on a connection of its own. */
export interface AlternatingLoad extends Omit<Calls, "port"> {
  readonly ports: readonly number[];
  /** To the server whose turn it is. */
  readonly perSecond: number;
  /** Of each server. */
  readonly durationMs: number;
}

/** What calls to one server have seen. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/**
 * Calls at a fixed rate, whether or not earlier calls were answered. The servers have them by turns, each for a twentieth of a second, so that a call
 * meets none to another server, and what the machine does for longer hits all of them alike. Latencies count from when a call was due.
 * Answers those of each server, in their order; throws if a call fails.
 */
export async function alternate({ ports, perSecond, durationMs, ...calls }: AlternatingLoad): Promise<Latency[]> {
  let fail!: (failure: Error) => void;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const seen = ports.map((): number[] => []);
  const callers = ports.map(
    (port, index) =>
      new Caller({ ...calls, port }, 0, {
        onAnswers: (latenciesMs) => seen[index]!.push(...latenciesMs),
        onRefusal: () => fail(new Error("a call was refused")),
        onFailure: fail,
      }),
  );
  try {
    await Promise.race([Promise.all(callers.map((caller) => caller.ready())), failed]);
    for (let turn = 0; turn < durationMs / turnMs; turn++) {
      for (const caller of callers) await Promise.race([haveTurn(caller, perSecond), failed]);
    }
  } finally {
    for (const caller of callers) caller.close();
  }
  return seen.map((latenciesMs) => ({ p50Ms: quantile(latenciesMs, 0.5), p99Ms: quantile(latenciesMs, 0.99) }));
}

/** Settles once the calls of a turn are answered. */
async function haveTurn(caller: Caller, perSecond: number): Promise<void> {
  const beginMs = performance.now();
  const dueMs = (call: number) => beginMs + (call * 1000) / perSecond;
  const count = Math.round((perSecond * turnMs) / 1000);
  let sent = 0;
  // As often as timers can.
  for await (const _ of setInterval(1)) {
    for (; sent < count && dueMs(sent) <= performance.now(); sent++) caller.send([dueMs(sent)]);
    if (sent === count && caller.inFlight === 0) return;
  }
}

const turnMs = 50;
