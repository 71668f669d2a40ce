import { Caller, type Calls } from "../../harness/caller.ts";
import { quantile } from "../../harness/figures.ts";

/** The same calls to several servers in turn, each on a connection of its own. */
export interface AlternatingLoad extends Omit<Calls, "port"> {
  readonly ports: readonly number[];
  /** To each server. */
  readonly perSecond: number;
  readonly durationMs: number;
}

/** What calls to one server have seen. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/**
 * Calls at a fixed rate, whether or not earlier calls were answered, the servers by turns: what the machine does meanwhile hits all of
 * them alike. Latencies count from when a call was due. Answers those of each server, in their order; throws if a call fails.
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
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([Promise.all(callers.map((caller) => caller.ready())), failed]);
    const intervalMs = 1000 / perSecond / ports.length;
    const total = Math.floor(durationMs / intervalMs);
    const beginMs = performance.now();
    let sent = 0;
    const allAnswered = new Promise<void>((resolve) => {
      // As often as timers can.
      timer = setInterval(() => {
        for (; sent < total && beginMs + sent * intervalMs <= performance.now(); sent++)
          callers[sent % callers.length]!.send([beginMs + sent * intervalMs]);
        if (sent === total && callers.every(({ inFlight }) => inFlight === 0)) resolve();
      }, 1);
    });
    await Promise.race([allAnswered, failed]);
  } finally {
    clearInterval(timer);
    for (const caller of callers) caller.close();
  }
  return seen.map((latenciesMs) => ({ p50Ms: quantile(latenciesMs, 0.5), p99Ms: quantile(latenciesMs, 0.99) }));
}
