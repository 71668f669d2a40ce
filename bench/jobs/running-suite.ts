import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, openSync } from "node:fs";
import { stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RegistryServiceDefinition } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { Job__Output } from "../../lib/gen/amaas/trainer/v1/Job.ts";
import type { JobEvent__Output } from "../../lib/gen/amaas/trainer/v1/JobEvent.ts";
import type { TrainerServiceDefinition } from "../../lib/gen/amaas/trainer/v1/TrainerService.ts";
import type { TrainSpec } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { LogFile } from "../../supervisor/logs.ts";
import { PrivateRedis, redisServerOnPath } from "../../supervisor/redis.ts";
import type { Workplace } from "../harness/scenario.ts";
import { startRegistry } from "../registry/running-registry.ts";

/** A trainer as a process of its own. */
export interface RunningTrainer {
  readonly address: string;
  readonly pid: number;
  /** SIGKILL; settles when it is gone. */
  kill(): Promise<void>;
}

/** A registry and a Redis of a scenario's own, and what is started on them; all end with the scenario. */
export class RunningSuite {
  readonly registry: RpcClient<RegistryServiceDefinition>;
  readonly #place: Workplace;
  readonly #settings: Readonly<Record<string, string>>;
  #started = 0;

  private constructor(place: Workplace, registryAddress: string, redisUrl: string) {
    this.#place = place;
    this.#settings = { AMAAS_REGISTRY_ADDRESS: registryAddress, AMAAS_REDIS_URL: redisUrl, AMAAS_LOG_LEVEL: "warn" };
    this.registry = new RpcClient("amaas.registry.v1.RegistryService", registryAddress);
    place.atEnd(() => this.registry.close());
  }

  static async start(place: Workplace): Promise<RunningSuite> {
    const server = place.env.AMAAS_REDIS_SERVER || redisServerOnPath(place.env.PATH ?? "");
    if (!server) throw new Error("no redis-server or valkey-server is on the PATH");
    const redis = new PrivateRedis(server, place.folder, new LogFile(join(place.folder, "redis.log"), 2 ** 20));
    const launched = await redis.launch();
    place.atEnd(async () => {
      launched.terminate();
      await launched.ended;
      redis.clean();
    });
    await launched.ready;
    return new RunningSuite(place, (await startRegistry(place)).address, redis.url);
  }

  /** Another trainer, with settings by the names of their variables. */
  async startTrainer(settings: Readonly<Record<string, string>> = {}): Promise<RunningTrainer> {
    const main = fileURLToPath(new URL(`../../services/trainer/main${extname(import.meta.url)}`, import.meta.url));
    const folder = join(this.#place.folder, `trainer-${this.#started++}`);
    const log = openSync(join(this.#place.folder, "trainers.log"), "a");
    const child = spawn(process.execPath, [...process.execArgv, main], {
      env: { ...this.#place.env, ...this.#settings, AMAAS_TRAINER_PORT: "0", AMAAS_DATA_DIR: folder, ...settings },
      stdio: ["ignore", log, log, "ipc"],
    });
    const exited = once(child, "exit");
    this.#place.atEnd(() => ended(child, "SIGTERM", exited));
    const ends = exited.then(([code]) => Promise.reject(new Error(`a trainer ended with ${code}; see trainers.log`)));
    // It ends after the scenario too.
    ends.catch(() => undefined);
    const [message] = (await Promise.race([once(child, "message"), ends])) as [{ readonly port: number }];
    return {
      address: `127.0.0.1:${message.port}`,
      pid: child.pid!,
      kill: () => ended(child, "SIGKILL", exited),
    };
  }

  /** A client of one trainer, closed at the scenario's end. */
  clientOf({ address }: RunningTrainer): RpcClient<TrainerServiceDefinition> {
    const client = new RpcClient<TrainerServiceDefinition>("amaas.trainer.v1.TrainerService", address);
    this.#place.atEnd(() => client.close());
    return client;
  }

  /** Uploads a file; answers "artifacts/{sha256}". */
  async upload(path: string): Promise<string> {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path)) hash.update(chunk);
    const { size } = await stat(path);
    return (await this.registry.clientStream("UploadArtifact", partsOf(path, hash.digest("hex"), size))).name;
  }
}

/** Runs one training; answers its job with all of its events, and throws where it does not succeed. */
export async function trained(
  trainer: RpcClient<TrainerServiceDefinition>,
  train: TrainSpec,
): Promise<{ readonly job: Job__Output; readonly events: readonly JobEvent__Output[] }> {
  const { name } = await trainer.unary("CreateJob", { job: { train } });
  return endOf(trainer, name);
}

/** Watches a job until it ends; answers it with all of its events, and throws where it does not succeed. */
export async function endOf(
  trainer: RpcClient<TrainerServiceDefinition>,
  name: string,
): Promise<{ readonly job: Job__Output; readonly events: readonly JobEvent__Output[] }> {
  const events: JobEvent__Output[] = [];
  for await (const event of trainer.serverStream("WatchJob", { name })) events.push(event);
  const job = await trainer.unary("GetJob", { name });
  if (job.state === "STATE_SUCCEEDED") return { job, events };
  throw new Error(`${name} is ${job.state}: ${job.error?.reason} ${job.error?.message}`);
}

/** Seconds from the start of a job to a time of it. */
export function secondsFromStart({ startTime }: Job__Output, time: Job__Output["endTime"]): number {
  const secondsOf = (at: Job__Output["endTime"]) => Number(at!.seconds) + at!.nanos / 1e9;
  return secondsOf(time) - secondsOf(startTime);
}

async function* partsOf(path: string, sha256: string, sizeBytes: number) {
  yield { header: { sha256, sizeBytes } };
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) yield { chunk };
}

async function ended(child: ChildProcess, signal: NodeJS.Signals, exited: Promise<unknown>): Promise<void> {
  child.kill(signal);
  await exited;
}
