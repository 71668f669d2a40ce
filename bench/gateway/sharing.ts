import { setTimeout as passed } from "node:timers/promises";
import { BenchProcess } from "../harness/bench-process.ts";
import { inRounds, type Measured, type Run } from "../harness/figures.ts";
import { cpuSeconds } from "../harness/process-figures.ts";
import type { Workplace } from "../harness/scenario.ts";
import { inferPath } from "../inference/requests.ts";
import { requestOf } from "./request.ts";
import { routeOf, startGateway } from "./running-gateway.ts";
import { type SharedRedis, sharedRedis } from "./shared-redis.ts";

const rounds = 3;
/** Of the Redis: one in each round, and in the one before them. */
const kills = rounds + 1;
const limitPerSecond = 400;
/** Until a full bucket, which holds a second's rate, is empty under every load here. */
const emptyMs = 2000;
const windowMs = 2000;

type Gateway = Awaited<ReturnType<typeof startGateway>>;
type Load = BenchProcess<typeof import("../harness/unary-load.ts")>;

/** How exact a limit is that two gateways share through Redis, what that costs a call, and what happens while the Redis is gone. */
export async function sharing(place: Workplace): Promise<Measured[]> {
  const redis = sharedRedis(place);
  await redis.start();
  const node = new BenchProcess<typeof import("./load/echo-node.ts")>(
    new URL("load/echo-node", import.meta.url),
    place,
  );
  const limits = { requestsPerSecond: limitPerSecond };
  const route = { ...routeOf("m", `127.0.0.1:${await node.call("listen")}`), traffic: { total: limits } };
  // Nothing else is to refuse calls.
  const only = { AMAAS_GATEWAY_LATENCY_TOLERANCE: "0" };
  const start = (folder: string, env = {}) => startGateway(place, [route], { folder, env: { ...only, ...env } });
  // A busy machine is no lost Redis.
  const env = { AMAAS_GATEWAY_REDIS_URL: redis.url, AMAAS_GATEWAY_REDIS_TIMEOUT_MS: "1000" };
  const pair = [await start("first", env), await start("second", env)] as const;
  const alone = await start("alone");
  await isShared(pair, 1);
  const loads = pair.map((): Load => new BenchProcess(new URL("../harness/unary-load", import.meta.url), place));
  const caller = new BenchProcess<typeof import("./load/alternating.ts")>(
    new URL("load/alternating", import.meta.url),
    place,
  );
  const offered = (perSecond: readonly number[], durationMs: number) => offer(pair, loads, perSecond, durationMs);
  // Code that runs for the first time is slow.
  await Promise.all([offered([100, 100], 2 * windowMs), offer([alone], loads.slice(0, 1), [600], 3 * windowMs)]);
  const figures = await inRounds(rounds, {
    even: () => offered([360, 360], emptyMs).then(() => offered([360, 360], windowMs)),
    uneven: () => offered([600, 300], emptyMs).then(() => offered([600, 300], windowMs)),
    gone: () => withoutRedis(redis, pair, offered),
    cost: () => costBeside(alone, pair[0], caller),
  });
  for (const gateway of [...pair, alone]) await failsNone(gateway);
  const fault = await lossFault(pair);
  const through = (what: string, runs: readonly { readonly perSecond: number }[]) => ({
    metric: `calls a second that two gateways let through, ${what}`,
    unit: "calls/s",
    runs: runs.map(({ perSecond }): Run => ({ value: perSecond, baseline: limitPerSecond })),
    baselineOf: "the limit that is set",
    fault,
  });
  const beside = (what: string, unit: string, key: "micros" | "p50Ms" | "p99Ms"): Measured => ({
    metric: `${what} of a call in a limit that is shared, at 0.4 of it`,
    unit,
    runs: figures.cost.map(({ shared, alone: own }) => ({ value: shared[key], baseline: own[key] })),
    baselineOf: "the same limit of one gateway",
  });
  return [
    {
      ...through("1.8 times the limit offered, evenly", figures.even),
      goal: { of: "ratio", kind: "at most", bound: 1.03 },
    },
    {
      ...through("1.8 times the limit offered, and no fewer", figures.even),
      goal: { of: "ratio", kind: "at least", bound: 0.95 },
    },
    {
      ...through("2.25 times the limit offered, two thirds of it to one", figures.uneven),
      goal: { of: "ratio", kind: "at most", bound: 1.03 },
    },
    {
      ...through("while the Redis is gone: each its own limit", figures.gone),
      goal: { of: "ratio", kind: "at most", bound: 2.06 },
    },
    {
      metric: "latency of calls that are let through while the Redis is killed, p99",
      unit: "ms",
      runs: figures.gone.map(({ p99Ms }, round) => ({ value: p99Ms, baseline: figures.even[round]!.p99Ms })),
      baselineOf: "while it is there",
    },
    beside("processor time", "µs", "micros"),
    beside("latency, p50,", "ms", "p50Ms"),
    beside("latency, p99,", "ms", "p99Ms"),
  ];
}

/** Calls at fixed rates to both gateways; answers how many of them were let through, and how long the slowest hundredth took. */
async function offer(
  pair: readonly Gateway[],
  loads: readonly Load[],
  perSecond: readonly number[],
  durationMs: number,
) {
  const seen = await Promise.all(
    loads.map((load, index) =>
      load.call("paced", {
        port: pair[index]!.port,
        path: inferPath,
        requests: [requestOf(340)],
        connections: 1,
        perSecond: perSecond[index]!,
        durationMs,
      }),
    ),
  );
  for (const { behind } of seen) if (behind !== undefined) throw new Error(behind);
  return {
    perSecond: seen.reduce((sum, { calls }) => sum + calls, 0) / (durationMs / 1000),
    p99Ms: Math.max(...seen.map(({ p99Ms }) => p99Ms)),
  };
}

/** Kills the Redis under load, measures without it, and waits until the gateways have found it again. */
async function withoutRedis(
  redis: SharedRedis,
  pair: readonly Gateway[],
  offered: (perSecond: readonly number[], durationMs: number) => ReturnType<typeof offer>,
) {
  const [{ p99Ms }] = await Promise.all([offered([600, 600], emptyMs + 1000), passed(1000).then(() => redis.kill())]);
  await isShared(pair, 0);
  const { perSecond } = await offered([600, 600], windowMs);
  await redis.start();
  await isShared(pair, 1);
  return { perSecond, p99Ms };
}

/** The same calls to both, by turns, which no limit refuses. */
async function costBeside(
  alone: Gateway,
  shared: Gateway,
  caller: BenchProcess<typeof import("./load/alternating.ts")>,
) {
  // Until both may let a burst through again.
  await passed(1000);
  const perSecond = 0.4 * limitPerSecond;
  const ports = [alone.port, shared.port];
  const spent = () => Promise.all([alone, shared].map(({ pid }) => cpuSeconds(pid)));
  const before = await spent();
  const seen = await caller.call("alternate", {
    path: inferPath,
    requests: [requestOf(340)],
    ports,
    perSecond,
    durationMs: windowMs,
  });
  const after = await spent();
  const calls = (perSecond * windowMs) / 1000;
  const costOf = (index: number) => ({ ...seen[index]!, micros: ((after[index]! - before[index]!) / calls) * 1e6 });
  return { alone: costOf(0), shared: costOf(1) };
}

/** Waits until gateways say that they share limits, or that they do not. */
async function isShared(pair: readonly Gateway[], wanted: 0 | 1): Promise<void> {
  for (const gateway of pair) {
    while (!(await metricsOf(gateway)).includes(`\namaas_gateway_limits_shared ${wanted}\n`)) await passed(20);
  }
}

/** Throws where a call has ended otherwise than answered, or refused by the limit. */
async function failsNone(gateway: Gateway): Promise<void> {
  const ended = (await metricsOf(gateway)).matchAll(/^amaas_gateway_calls_total\{.*ModelInfer.*code="(.*?)".*/gm);
  const codes = [...ended].map(([, code]) => code!);
  if (!codes.includes("OK") || codes.some((code) => code !== "OK" && code !== "RESOURCE_EXHAUSTED"))
    throw new Error(`calls ended with ${codes}, needed: OK and RESOURCE_EXHAUSTED alone`);
}

/** Why limits were not shared all the time; undefined where the Redis was lost only when it was killed. */
async function lossFault(pair: readonly Gateway[]): Promise<string | undefined> {
  const texts = await Promise.all(pair.map(metricsOf));
  const seen = texts.map((text) => Number(/^amaas_gateway_limits_store_losses_total (\d+)$/m.exec(text)![1]));
  const isRight = seen.every((count) => count === kills);
  return isRight
    ? undefined
    : `the gateways lost the Redis ${seen.join(" and ")} times; needed: ${kills}, when it was killed`;
}

async function metricsOf({ metricsPort }: Gateway): Promise<string> {
  return (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
}
