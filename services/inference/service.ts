import { hostname } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "../../lib/clock.ts";
import type { ControlServiceDefinition } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { RegistryServiceDefinition } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { GRPCInferenceServiceHandlers } from "../../lib/gen/inference/GRPCInferenceService.ts";
import { createLog, type Log } from "../../lib/log.ts";
import type { Service } from "../../lib/process.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import { suiteVersion } from "../../lib/suite-version.ts";
import { ArtifactCache } from "./artifacts/artifact-cache.ts";
import { registrySource } from "./artifacts/artifact-source.ts";
import type { InferenceConfig } from "./config.ts";
import type { Assignment } from "./control/assignment.ts";
import { AssignmentFile } from "./control/assignment-file.ts";
import { RegistryLink } from "./control/registry-link.ts";
import { reportOf } from "./control/report.ts";
import { inferHandler } from "./handlers/infer.ts";
import { modelHandlers } from "./handlers/model.ts";
import { serverHandlers } from "./handlers/server.ts";
import { derivedAddress, derivedNodeName } from "./node-identity.ts";
import type { AspiredVersion } from "./replicas/aspired-version.ts";
import { InstancePool } from "./replicas/instance-pool.ts";
import { Replica } from "./replicas/replica.ts";
import { ReplicaSet } from "./replicas/replica-set.ts";
import { loadInstance } from "./replicas/verified-instance.ts";
import { type StartWorker, startWorker } from "./worker/worker-thread.ts";

/** What a test may put in the place of the real thing. */
export interface InferenceParts {
  readonly startWorker?: StartWorker;
  readonly clock?: Clock;
}

type State = "new" | "serving" | "draining";

/** One inference node: holds what the registry says, and answers the Open Inference Protocol. */
export class InferenceService implements Service {
  readonly #config: InferenceConfig;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #startWorker: StartWorker;
  readonly #node: string;
  readonly #registry: RpcClient<RegistryServiceDefinition>;
  readonly #control: RpcClient<ControlServiceDefinition>;
  readonly #artifacts: ArtifactCache;
  readonly #assignmentFile: AssignmentFile;
  readonly #replicas: ReplicaSet;
  readonly #link: RegistryLink;
  readonly #server: RpcServer;
  #state: State = "new";
  #address = "";
  #stopped: Promise<void> | undefined;

  constructor(config: InferenceConfig, parts: InferenceParts = {}) {
    this.#config = config;
    this.#clock = parts.clock ?? systemClock;
    this.#startWorker = parts.startWorker ?? startWorker;
    this.#node = config.nodeName ?? derivedNodeName(hostname(), String(config.port || `pid${process.pid}`));
    this.#log = createLog("inference", config.logLevel).child({ node: this.#node });
    this.#registry = new RpcClient("amaas.registry.v1.RegistryService", config.registryAddress);
    this.#control = new RpcClient("amaas.registry.v1.ControlService", config.registryAddress);
    const folder = join(config.dataDir, "inference", this.#node);
    this.#assignmentFile = new AssignmentFile(join(folder, "assignment.json"));
    this.#artifacts = this.#createArtifacts(join(folder, "artifacts"));
    this.#replicas = this.#createReplicas();
    this.#link = this.#createLink();
    this.#server = this.#createServer();
  }

  /** Serves what the last assignment says, with or without the registry, and follows the registry from then on. */
  async start(): Promise<{ readonly port: number }> {
    const { host, advertisedAddress } = this.#config;
    const port = await this.#server.start();
    this.#address = advertisedAddress ?? derivedAddress(host, port, hostname());
    await this.#resume();
    this.#state = "serving";
    this.#link.start();
    this.#log.info({ address: this.#address }, "serving");
    return { port };
  }

  /** Tells the registry, finishes what was accepted, then frees threads and native memory. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#state = "draining";
    this.#link.report();
    const failures: unknown[] = [];
    for (const step of [
      () => this.#server.stop(),
      () => this.#link.stop(),
      () => this.#unload(),
      async () => this.#registry.close(),
      async () => this.#control.close(),
    ]) {
      await step().catch((failure: unknown) => failures.push(failure));
    }
    if (failures.length > 0) throw new AggregateError(failures, "the shutdown left work behind");
    this.#log.info({}, "stopped");
  }

  /** No more loads are begun before the downloads end, so that none takes the place of one that failed by that. */
  async #unload(): Promise<void> {
    await Promise.all([this.#replicas.stop(), this.#artifacts.close()]);
  }

  async #resume(): Promise<void> {
    try {
      const assignment = await this.#assignmentFile.load();
      if (assignment !== undefined) this.#replicas.aspire(assignment.versions);
    } catch (failure) {
      this.#log.error({ error: failure }, "the last assignment on disk cannot be read; waiting for the registry");
    }
  }

  #follow(assignment: Assignment): void {
    this.#assignmentFile.save(assignment).catch((failure: unknown) => {
      this.#log.error({ error: failure }, "the assignment could not be kept on disk");
    });
    this.#replicas.aspire(assignment.versions);
  }

  #createArtifacts(folder: string): ArtifactCache {
    return new ArtifactCache(folder, {
      source: registrySource(this.#registry),
      clock: this.#clock,
      random: Math.random,
      resume: { firstMs: 100, maxMs: 2000 },
      attemptsMax: 5,
      idleMsMax: 30_000,
    });
  }

  #createReplicas(): ReplicaSet {
    return new ReplicaSet({
      createReplica: (aspired) =>
        new Replica(aspired, {
          openPool: () => this.#createPool(aspired),
          retry: { firstMs: 500, maxMs: 30_000 },
          retryWhenShort: { firstMs: 10_000, maxMs: 300_000 },
          clock: this.#clock,
          random: Math.random,
          log: this.#log,
        }),
      loadsMax: this.#config.loadsMax,
      clock: this.#clock,
      onChange: () => {
        this.#link.report();
        this.#artifacts
          .keepOnly(() => this.#replicas.neededArtifacts)
          .catch((failure: unknown) => {
            this.#log.warn({ error: failure }, "artifacts that are no longer needed could not be removed");
          });
      },
    });
  }

  #createPool(aspired: AspiredVersion): InstancePool {
    const { instanceCount, intraOpThreads, queue } = this.#config;
    const log = this.#log.child({ model: aspired.model, version: aspired.version });
    const parts = { artifacts: this.#artifacts, startWorker: this.#startWorker, intraOpThreads, log };
    return new InstancePool({
      instanceCount,
      queue,
      restart: { firstMs: 50, maxMs: 30_000 },
      startInstance: () => loadInstance(aspired, parts),
      clock: this.#clock,
      random: Math.random,
      log,
    });
  }

  #createLink(): RegistryLink {
    return new RegistryLink({
      client: this.#control,
      report: () => {
        const draining = this.#state === "draining";
        const facts = { node: this.#node, address: this.#address, memoryBytes: process.memoryUsage.rss(), draining };
        return reportOf(facts, this.#replicas.table);
      },
      onAssignment: (assignment) => this.#follow(assignment),
      reconnect: { firstMs: 100, maxMs: 2000 },
      clock: this.#clock,
      random: Math.random,
      log: this.#log,
    });
  }

  #createServer(): RpcServer {
    const { serverName, host, port, messageBytesMax, drainTimeoutMs } = this.#config;
    const server = new RpcServer({ host, port, messageBytesMax, drainTimeoutMs }, this.#log);
    const facts = { name: serverName, version: suiteVersion(), isReady: () => this.#state === "serving" };
    const handlers = {
      ...serverHandlers(facts),
      ...modelHandlers(this.#replicas),
      ModelInfer: inferHandler(this.#replicas),
    };
    server.implement<GRPCInferenceServiceHandlers>("inference.GRPCInferenceService", handlers, quietMethods);
    return server;
  }
}

/** Called too often for a line per call. */
const quietMethods = ["ServerLive", "ServerReady", "ModelReady", "ModelInfer"];
