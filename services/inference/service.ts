import { availableParallelism, hostname } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "../../lib/clock.ts";
import type { FolderLock } from "../../lib/folder-lock.ts";
import type { ControlServiceDefinition } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { RegistryServiceDefinition } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { GRPCInferenceServiceHandlers } from "../../lib/gen/inference/GRPCInferenceService.ts";
import { createLog, type LevelledLog, type Log } from "../../lib/log.ts";
import type { Metrics } from "../../lib/metrics/metrics.ts";
import { MetricsServer } from "../../lib/metrics/metrics-server.ts";
import type { Service } from "../../lib/process.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import { runStopSteps, stopMsMaxOf } from "../../lib/stop-steps.ts";
import type { ArtifactCache } from "./artifacts/artifact-cache.ts";
import { registryCache } from "./artifacts/registry-cache.ts";
import { Occupancy } from "./batching/occupancy.ts";
import type { InferenceConfig } from "./config.ts";
import type { Assignment } from "./control/assignment.ts";
import { AssignmentFile } from "./control/assignment-file.ts";
import { ModelControl } from "./control/model-control.ts";
import { RegistryLink } from "./control/registry-link.ts";
import { type NodeFacts, reportOf } from "./control/report.ts";
import { describeNode } from "./handlers/metrics.ts";
import { openInferenceHandlers, quietMethods } from "./handlers/open-inference.ts";
import { Isolations } from "./isolation/isolations.ts";
import { derivedAddress, derivedNodeName, nodeLock } from "./node-identity.ts";
import { checkOffered } from "./offered-providers.ts";
import { rehearseCalls } from "./rehearsal/rehearsal.ts";
import { nodeReplicas } from "./replicas/node-replicas.ts";
import type { ReplicaSet } from "./replicas/replica-set.ts";
import { RequestCount } from "./request-count.ts";
import { Tracing } from "./tracing/tracing.ts";
import { type RuntimeCapabilities, runtimeCapabilities } from "./worker/capabilities.ts";
import { type ProbedProviders, probedProviders } from "./worker/provider-probe.ts";
import { type StartWorker, workerStarter } from "./worker/worker-thread.ts";

/** What a test may put in the place of the real thing. */
export interface InferenceParts {
  readonly startWorker?: StartWorker;
  readonly clock?: Clock;
}

/** What a node holds from `start` to `stop`. */
interface Parts {
  readonly registry: RpcClient<RegistryServiceDefinition>;
  readonly control: RpcClient<ControlServiceDefinition>;
  readonly artifacts: ArtifactCache;
  readonly assignmentFile: AssignmentFile;
  readonly replicas: ReplicaSet;
  readonly models: ModelControl;
  readonly link: RegistryLink;
  readonly server: RpcServer;
  readonly metrics: MetricsServer;
}

/** What replicas are made of. */
interface ReplicaParts {
  readonly artifacts: ArtifactCache;
  readonly probing: Promise<ProbedProviders>;
  readonly onChange: () => void;
}

type State = "new" | "serving" | "draining";

/** One inference node: holds what the registry says, and answers the Open Inference Protocol. */
export class InferenceService implements Service {
  readonly #config: InferenceConfig;
  readonly #log: Log;
  readonly #rootLog: LevelledLog;
  readonly #clock: Clock;
  readonly #startWorker: StartWorker;
  readonly #isolations: Isolations;
  readonly #node: string;
  readonly #folder: string;
  readonly #lock: FolderLock;
  readonly #requests = new RequestCount();
  readonly #nodeQueue: Occupancy;
  readonly #stopping = new AbortController();
  readonly #tracing: Tracing;
  #runtime: RuntimeCapabilities | undefined;
  #providers: ProbedProviders | undefined;
  #parts: Parts | undefined;
  /** Settles when it is over, if it has begun. */
  #rehearsal: Promise<void> | undefined;
  #cancelRehearsal: () => void = () => undefined;
  #state: State = "new";
  #address = "";
  #stopped: Promise<void> | undefined;

  constructor(config: InferenceConfig, parts: InferenceParts = {}) {
    this.#config = config;
    this.#nodeQueue = new Occupancy(config.nodeQueue, " on this node");
    this.#clock = parts.clock ?? systemClock;
    this.#node = config.nodeName ?? derivedNodeName(hostname(), String(config.port || `pid${process.pid}`));
    this.#rootLog = createLog("inference", config.logLevel);
    this.#log = this.#rootLog.child({ node: this.#node });
    this.#folder = join(config.dataDir, "inference", this.#node);
    this.#lock = nodeLock(this.#folder);
    this.#isolations = new Isolations({ folder: this.#folder, clock: this.#clock, log: this.#log });
    this.#startWorker = parts.startWorker ?? workerStarter(this.#isolations.marksFolder);
    this.#tracing = new Tracing({
      folder: join(this.#folder, "traces"),
      bytesMax: config.traceBytesMax,
      clock: this.#clock,
      log: this.#log,
    });
  }

  /** Serves what the last assignment says, with or without the registry, and follows that from then on. Rejects with `FolderTaken`. */
  async start(): Promise<{ readonly port: number }> {
    const { host, advertisedAddress } = this.#config;
    this.#lock.acquire();
    const probing = probedProviders(this.#config.executionProviders, this.#stopping.signal);
    const parts = this.#createParts(probing);
    this.#parts = parts;
    // First of all: models load beside whatever else there is to do.
    await this.#resume(parts);
    await parts.metrics.start();
    const port = await parts.server.start();
    this.#address = advertisedAddress ?? derivedAddress(host, port, hostname());
    [this.#runtime, this.#providers] = await Promise.all([runtimeCapabilities(), probing]);
    // A stop may have come meanwhile.
    if (this.#stopped === undefined) {
      checkOffered(this.#providers, this.#log);
      this.#state = "serving";
    }
    parts.link.start();
    const { executionProviders } = this.#providers;
    this.#log.info({ address: this.#address, metricsPort: this.metricsPort, executionProviders }, "serving");
    this.#awaitRehearsal(parts.replicas);
    return { port };
  }

  /** Where metrics are served once it has started. */
  get metricsPort(): number {
    return this.#parts!.metrics.port;
  }

  /** Tells the registry, finishes what was accepted, then frees threads and native memory. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#state = "draining";
    this.#stopping.abort();
    this.#cancelRehearsal();
    if (this.#parts === undefined) return this.#lock.release();
    const { registry, control, artifacts, assignmentFile, replicas, link, server, metrics } = this.#parts;
    link.report();
    const steps = {
      rehearsal: () => this.#rehearsal,
      server: () => server.stop(),
      "trace files": () => this.#tracing.files.flush(),
      "registry link": () => link.stop(),
      "assignment file": () => assignmentFile.saved(),
      // No more loads are begun before the downloads end, so that none takes the place of one that failed by that.
      "replicas and downloads": () => Promise.all([replicas.stop(), artifacts.close()]),
      "registry client": () => registry.close(),
      "control client": () => control.close(),
      metrics: () => metrics.stop(),
      "folder lock": () => this.#lock.release(),
    };
    await runStopSteps(Object.entries(steps), { msMax: stopMsMaxOf(this.#config), log: this.#log });
    this.#log.info({}, "stopped");
  }

  async #resume({ assignmentFile, models }: Parts): Promise<void> {
    await this.#isolations.open();
    try {
      const assignment = await assignmentFile.load();
      if (assignment !== undefined) models.follow(assignment);
    } catch (failure) {
      this.#log.error({ error: failure }, "the last assignment on disk cannot be read; waiting for the registry");
    }
  }

  #follow(assignment: Assignment, { assignmentFile, models }: Pick<Parts, "assignmentFile" | "models">): void {
    models.follow(assignment);
    assignmentFile.save(assignment).catch((failure: unknown) => {
      this.#log.error({ error: failure }, "the assignment could not be kept on disk");
    });
  }

  #createParts(probing: Promise<ProbedProviders>): Parts {
    const { registryAddress } = this.#config;
    const registry = new RpcClient<RegistryServiceDefinition>("amaas.registry.v1.RegistryService", registryAddress);
    const control = new RpcClient<ControlServiceDefinition>("amaas.registry.v1.ControlService", registryAddress);
    const assignmentFile = new AssignmentFile(join(this.#folder, "assignment.json"));
    const artifacts = registryCache(join(this.#folder, "artifacts"), registry, this.#clock);
    const onChange = () => {
      models.noteChange();
      link.report();
      this.#dropArtifacts({ artifacts, replicas, models });
      this.#awaitRehearsal(replicas);
    };
    const replicas: ReplicaSet = this.#createReplicas({ artifacts, probing, onChange });
    const { modelControl, modelsLoadedAtStart } = this.#config;
    const models = new ModelControl({ mode: modelControl, loadedAtStart: modelsLoadedAtStart, replicas });
    const link = this.#createLink({ control, replicas, models, assignmentFile });
    const server = this.#createServer(replicas, models);
    const { host, metricsPort: port } = this.#config;
    const describe = (metrics: Metrics) => describeNode(metrics, replicas, this.#tracing.files);
    const metrics = new MetricsServer({ host, port }, this.#log, describe);
    return { registry, control, artifacts, assignmentFile, replicas, models, link, server, metrics };
  }

  /** Once, when the node serves and nothing has been loaded for a second, which needs the cores more. Nobody waits for it. */
  #awaitRehearsal(replicas: Pick<ReplicaSet, "held">): void {
    this.#cancelRehearsal();
    this.#cancelRehearsal = this.#clock.after(rehearsalQuietMs, () => this.#rehearse(replicas));
  }

  #rehearse({ held }: Pick<ReplicaSet, "held">): void {
    const isBusy = this.#state !== "serving" || held.some(({ state }) => state.kind === "loading");
    if (isBusy || this.#rehearsal !== undefined || this.#config.rehearsalCalls === 0) return;
    const beginMs = performance.now();
    this.#rehearsal = rehearseCalls(this.#config, this.#requests, this.#stopping.signal).then(
      (calls) => this.#log.debug({ calls, durationMs: performance.now() - beginMs }, "rehearsed"),
      (failure: unknown) =>
        this.#log.warn({ error: failure }, "no calls could be rehearsed: the first ones are slower"),
    );
  }

  #createReplicas({ artifacts, probing, onChange }: ReplicaParts): ReplicaSet {
    return nodeReplicas(this.#config, {
      artifacts,
      startWorker: this.#startWorker,
      isolations: this.#isolations,
      offeredProviders: probing.then(({ executionProviders }) => executionProviders),
      nodeQueue: this.#nodeQueue,
      clock: this.#clock,
      log: this.#log,
      onChange,
    });
  }

  #dropArtifacts({ artifacts, replicas, models }: Pick<Parts, "artifacts" | "replicas" | "models">): void {
    artifacts
      .keepOnly(() => new Set([...replicas.neededArtifacts, ...models.neededArtifacts]))
      .catch((failure: unknown) => {
        this.#log.warn({ error: failure }, "artifacts that are no longer needed could not be removed");
      });
  }

  #createLink(parts: Pick<Parts, "control" | "replicas" | "models" | "assignmentFile">): RegistryLink {
    return new RegistryLink({
      client: parts.control,
      report: () => reportOf(this.#facts(), parts.replicas.table),
      onAssignment: (assignment) => this.#follow(assignment, parts),
      reconnect: { firstMs: 100, maxMs: 2000 },
      clock: this.#clock,
      random: Math.random,
      log: this.#log,
    });
  }

  #facts(): NodeFacts {
    const { memoryBudgetBytes } = this.#config;
    const { outstanding, answered } = this.#requests;
    return {
      node: this.#node,
      address: this.#address,
      zone: this.#config.zone,
      capabilities: {
        executionProviders: [...(this.#providers?.executionProviders ?? [])],
        missingExecutionProviders: this.#providers?.missing ?? {},
        ...this.#runtime,
        memoryBudgetBytes,
        cores: availableParallelism(),
      },
      memoryBytes: process.memoryUsage.rss(),
      draining: this.#state === "draining",
      load: { outstandingRequests: outstanding, answeredRequests: answered },
    };
  }

  #createServer(replicas: ReplicaSet, models: ModelControl): RpcServer {
    const { host, port, messageBytesMax, drainTimeoutMs } = this.#config;
    const server = new RpcServer({ host, port, messageBytesMax, drainTimeoutMs }, this.#log);
    const handlers = openInferenceHandlers({
      config: this.#config,
      replicas,
      models,
      requests: this.#requests,
      tracing: this.#tracing,
      rootLog: this.#rootLog,
      isReady: () => this.#state === "serving",
    });
    server.implement<GRPCInferenceServiceHandlers>("inference.GRPCInferenceService", handlers, quietMethods);
    return server;
  }
}

/** Models that are assigned one soon after the other are loaded first. */
const rehearsalQuietMs = 1000;
