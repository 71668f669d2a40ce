import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { Settings } from "../../lib/env.ts";
import type { RegistryServiceDefinition } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { Job__Output } from "../../lib/gen/amaas/trainer/v1/Job.ts";
import type { JobEvent__Output } from "../../lib/gen/amaas/trainer/v1/JobEvent.ts";
import type { TrainerServiceDefinition } from "../../lib/gen/amaas/trainer/v1/TrainerService.ts";
import type { TrainSpec } from "../../lib/gen/amaas/trainer/v1/TrainSpec.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { readRegistryConfig } from "../../services/registry/config.ts";
import { RegistryService } from "../../services/registry/service.ts";
import { readTrainerConfig } from "../../services/trainer/config.ts";
import { TrainerService } from "../../services/trainer/service.ts";
import { PrivateRedis } from "../private-redis.ts";
import { type ServiceProcess, spawnService } from "../service-process.ts";

/** A trainer with the registry and the Redis that it needs, all real, in this process but for Redis. */
export class RunningTrainer {
  readonly redis = new PrivateRedis();
  /** Of the trainer, besides those that it needs; set before the start. */
  settings: Readonly<Record<string, string>> = {};
  #folder = "";
  #services: { stop(): Promise<void> }[] = [];
  #registryService: RegistryService | undefined;
  #registryPort = 0;
  registry!: RpcClient<RegistryServiceDefinition>;
  trainer!: RpcClient<TrainerServiceDefinition>;

  async start(): Promise<void> {
    await this.redis.start();
    this.#folder = await mkdtemp(join(tmpdir(), "amaas-trainer-"));
    await this.startRegistry();
    this.registry = new RpcClient("amaas.registry.v1.RegistryService", `127.0.0.1:${this.#registryPort}`);
    const { service, port } = await this.startTrainer();
    this.#services.push(service);
    this.connect(port);
  }

  /** Makes `trainer` speak to another one. */
  connect(port: number): void {
    this.trainer?.close();
    this.trainer = new RpcClient("amaas.trainer.v1.TrainerService", `127.0.0.1:${port}`);
  }

  /** Stops the one in this process. */
  async stopTrainers(): Promise<void> {
    for (const service of this.#services.splice(0)) await service.stop();
  }

  /** A further trainer on the same Redis and registry. */
  async startTrainer() {
    const service = new TrainerService(
      readTrainerConfig(this.#settings({ ...this.settings, AMAAS_TRAINER_PORT: "0" })),
    );
    return { service, port: (await service.start()).port };
  }

  /** A further trainer, as a process of its own that can be killed; with further settings. */
  spawnTrainer(settings: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
    return spawnService("trainer", this.#folder, { ...this.#variables, ...settings, AMAAS_TRAINER_PORT: "0" });
  }

  /** Starts the registry, or starts it again on its data and port. */
  async startRegistry(clock?: Clock): Promise<void> {
    const settings = this.#settings({ AMAAS_REGISTRY_PORT: String(this.#registryPort) });
    this.#registryService = new RegistryService(readRegistryConfig(settings), clock);
    this.#registryPort = (await this.#registryService.start()).port;
  }

  /** Runs the registry as a process of its own that can be killed, on the same data and port, in place of the one before. */
  async spawnRegistry(): Promise<ServiceProcess> {
    await this.stopRegistry();
    return spawnService("registry", this.#folder, {
      ...this.#variables,
      AMAAS_REGISTRY_PORT: String(this.#registryPort),
    });
  }

  async stopRegistry(): Promise<void> {
    await this.#registryService?.stop();
    this.#registryService = undefined;
  }

  async remove(): Promise<void> {
    this.trainer?.close();
    await this.stopTrainers();
    this.registry?.close();
    await this.stopRegistry();
    await this.redis.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  get registryAddress(): string {
    return `127.0.0.1:${this.#registryPort || 1}`;
  }

  async uploadDataset(content: string | Uint8Array): Promise<string> {
    const bytes = Buffer.from(content as Uint8Array);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const parts = [{ header: { sha256, sizeBytes: bytes.length } }, { chunk: bytes }];
    return (await this.registry.clientStream("UploadArtifact", parts)).name;
  }

  /** The bytes of an artifact. */
  async downloaded(name: string): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const { chunk } of this.registry.serverStream("DownloadArtifact", { name })) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async submit(train: TrainSpec, requestId = ""): Promise<string> {
    return (await this.trainer.unary("CreateJob", { job: { train }, requestId })).name;
  }

  /** Every event of a job, to its end. */
  async events(name: string, afterSequence = 0): Promise<readonly JobEvent__Output[]> {
    const events: JobEvent__Output[] = [];
    for await (const event of this.trainer.serverStream("WatchJob", { name, afterSequence })) events.push(event);
    return events;
  }

  /** Waits for a job's end. */
  async ended(name: string): Promise<Job__Output> {
    await this.events(name);
    return this.trainer.unary("GetJob", { name });
  }

  #settings(more: Record<string, string>): Settings {
    return new Settings({ ...this.#variables, ...more });
  }

  get #variables(): Record<string, string> {
    return {
      AMAAS_DATA_DIR: this.#folder,
      AMAAS_LOG_LEVEL: "silent",
      AMAAS_DRAIN_TIMEOUT_MS: "2000",
      AMAAS_REDIS_URL: this.redis.url,
      AMAAS_REGISTRY_ADDRESS: this.registryAddress,
      AMAAS_TRAINER_RETRY_DELAY_MS: "50",
      // Few of these run so many jobs that starting processes ahead would pay.
      AMAAS_TRAINER_SPARE_PROCESSES_MAX: "0",
    };
  }
}
