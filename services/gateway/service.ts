import { join } from "node:path";
import { setImmediate, setTimeout } from "node:timers/promises";
import { systemClock } from "../../lib/clock.ts";
import { ServiceError } from "../../lib/errors.ts";
import type {
  ControlServiceDefinition,
  ControlServiceHandlers,
} from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import { createLog, type Log } from "../../lib/log.ts";
import { MetricsServer } from "../../lib/metrics/metrics-server.ts";
import type { Service } from "../../lib/process.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import type { ServingStatus } from "../../lib/rpc/health.ts";
import { RpcServer } from "../../lib/rpc/server.ts";
import { runStopSteps, stopMsMaxOf } from "../../lib/stop-steps.ts";
import { suiteVersion } from "../../lib/suite-version.ts";
import { Admission } from "./admission/admission.ts";
import { RequestBytes } from "./admission/request-bytes.ts";
import { Answers } from "./answers.ts";
import { Balancer } from "./balance/balancer.ts";
import { IncomingCall } from "./call/incoming-call.ts";
import { CallLimit } from "./call-limit.ts";
import type { GatewayConfig } from "./config.ts";
import { CallFigures } from "./figures/call-figures.ts";
import { describeGateway } from "./figures/describe-gateway.ts";
import { ModelFigures } from "./figures/version-figures.ts";
import { Connection } from "./forward/connection.ts";
import { Connections } from "./forward/connections.ts";
import { Forwarder } from "./forward/forwarder.ts";
import { outcomeOf } from "./forward/outcome.ts";
import { HeldAnswers } from "./held-answers.ts";
import { Limits } from "./limits/limits.ts";
import { RedisShareStore } from "./limits/redis-share-store.ts";
import { SharedLimits } from "./limits/shared-limits.ts";
import { Listener } from "./listener.ts";
import { MirrorFigures } from "./mirrors/mirror-figures.ts";
import { Mirrors } from "./mirrors/mirrors.ts";
import { healthForms, modelHealth } from "./model-health.ts";
import { type PassedService, passThrough } from "./pass-through.ts";
import { restServer } from "./rest/rest.ts";
import type { RestServer } from "./rest/rest-server.ts";
import { RouteFile } from "./route-file.ts";
import { RouteLink } from "./route-link.ts";
import { addressSteps, type PlacedTable, type RouteTable } from "./route-table.ts";
import { Router } from "./router.ts";
import { Routes } from "./routes.ts";
import { SequenceRouter } from "./sequence-router.ts";

/** The front door: one address for inference, registry and trainer. */
export class GatewayService implements Service {
  readonly #config: GatewayConfig;
  readonly #log: Log;
  readonly #server: RpcServer;
  readonly #file: RouteFile;
  readonly #routes: Routes;
  readonly #control: RpcClient<ControlServiceDefinition>;
  readonly #link: RouteLink;
  readonly #nodes: Connections;
  readonly #registry: Connection;
  readonly #trainer: Connection;
  readonly #metrics: MetricsServer;
  /** Of mirrors alone. */
  readonly #mirrorNodes: Connections;
  readonly #mirrors: Mirrors;
  readonly #shareStore: RedisShareStore | undefined;
  readonly #shared: SharedLimits | undefined;
  /** Undefined where it is switched off. */
  readonly #rest: RestServer | undefined;
  #started = false;
  #isLeaving = false;

  constructor(config: GatewayConfig) {
    const { drainDelayMs, drainTimeoutMs } = config;
    const served = { ...config, drainTimeoutMs: drainTimeoutMs - drainDelayMs };
    const log = createLog("gateway", config.logLevel);
    const random = Math.random;
    const clock = systemClock;
    const limit = new CallLimit(config.callsMax);
    this.#config = config;
    this.#log = log;
    const answersHeld = new HeldAnswers(config.answerBytesMax);
    const { waiting } = answersHeld;
    this.#server = new RpcServer({ ...served, waiting }, log);
    answersHeld.watch((visit) =>
      this.#server.forEachCall((listener) => {
        if (listener instanceof IncomingCall) visit(listener);
      }),
    );
    this.#nodes = new Connections({ ...config, waiting });
    this.#registry = new Connection(config.registryAddress, { ...config, waiting });
    this.#trainer = new Connection(config.trainerAddress, { ...config, waiting });
    this.#file = new RouteFile(join(config.dataDir, "gateway"), log);
    const calls = new CallFigures();
    const models = new ModelFigures();
    const admission = new Admission(config, clock);
    const balancer = new Balancer(config.balance, { node: (address) => this.#nodes.known(address), clock, random });
    this.#shareStore = config.redisUrl === "" ? undefined : new RedisShareStore({ ...config, leaseMs }, clock, log);
    this.#shared = this.#shareStore && new SharedLimits(this.#shareStore, clock);
    const limits = new Limits({ principalsMax: config.principalsMax, shared: this.#shared, clock });
    this.#mirrorNodes = new Connections(config);
    const copies = new MirrorFigures();
    this.#mirrors = new Mirrors(config.mirrors, { nodes: this.#mirrorNodes, figures: copies, clock, random });
    const forwarder = new Forwarder(config, {
      nodes: this.#nodes,
      onAttempt: (route, attempt) => {
        const outcome = outcomeOf(attempt);
        balancer.note(route, attempt.node, outcome, attempt.ms);
        models.attempted(route, attempt.kind, outcome);
      },
      clock,
    });
    const settle = async (placed: PlacedTable) => {
      for (const part of [forwarder, balancer, admission, limits, models, copies]) part.retain(placed.table.models);
      await this.#closeUnused(placed.table);
      await this.#file.write(placed);
    };
    this.#routes = new Routes({ settle, changed: () => this.#server.noteHealthChange() }, clock);
    this.#server.extendHealth({ forms: healthForms, statusOf: (name) => this.#healthOf(name) });
    this.#control = new RpcClient("amaas.registry.v1.ControlService", config.registryAddress);
    const gateway = `${config.host}:${config.port}`;
    this.#link = new RouteLink({ client: this.#control, gateway, routes: this.#routes, clock, random, log });
    const sequences = new SequenceRouter(config.sequences, clock);
    const router = new Router({ routes: this.#routes, nodes: this.#nodes, sequences, balancer, random });
    const answers = new Answers(
      { serverName: config.serverName, serverVersion: suiteVersion() },
      {
        router,
        forwarder,
        limit,
        limits,
        admission,
        mirrors: this.#mirrors,
        figures: models,
        isServing: () => this.#isServing,
      },
    );
    const parts = { server: this.#server, limit, calls, log };
    const requestBytes = new RequestBytes(config.requestBytesMax);
    new Listener(config, { ...parts, requestBytes, limits, answers, router, forwarder, nodes: this.#nodes }).serve();
    const passed: readonly PassedService[] = [
      {
        service: "amaas.registry.v1.RegistryService",
        who: "the registry",
        connection: this.#registry,
        endless: ["WatchCatalogue"],
      },
      {
        service: "amaas.trainer.v1.TrainerService",
        who: "the trainer",
        connection: this.#trainer,
        endless: ["WatchJob"],
      },
    ];
    for (const each of passed) passThrough(parts, each);
    const { draining } = this.#server;
    this.#rest = config.http.isOn
      ? restServer(served, { answers, router, passed, limit, draining, requestBytes, answersHeld, calls, log })
      : undefined;
    const [nodes, routes, link] = [this.#nodes, this.#routes, this.#link];
    const figures = { calls, models, limit, requestBytes, answersHeld, admission, balancer, nodes, routes, link };
    this.#metrics = new MetricsServer({ host: config.host, port: config.metricsPort }, log, (metrics) => {
      describeGateway(metrics, figures);
      limits.describe(metrics);
      this.#mirrors.describe(metrics);
    });
    this.#server.implement<ControlServiceHandlers>("amaas.registry.v1.ControlService", {
      ConnectNode: refuse,
      WatchRoutes: refuse,
    });
  }

  /** Whether calls can be routed, and are still taken. */
  get #isServing(): boolean {
    return this.#routes.table !== undefined && !this.#isLeaving;
  }

  #healthOf(name: string): ServingStatus | undefined {
    if (name === "live") return "SERVING";
    if (name === "" || name === inferenceService) return this.#isServing ? "SERVING" : "NOT_SERVING";
    const health = modelHealth(this.#routes.table, name);
    return health === "SERVING" && this.#isLeaving ? "NOT_SERVING" : health;
  }

  /** Listens with the last table on disk, whether or not the registry answers. */
  async start(): Promise<{ readonly port: number; readonly httpPort?: number }> {
    const placed = await this.#file.read();
    if (placed !== undefined) this.#routes.restore(placed);
    await this.#metrics.start();
    const port = await this.#server.start();
    this.#started = true;
    this.#shareStore?.start();
    const httpPort = await this.#rest?.start();
    this.#link.start();
    this.#log.info(
      { port, httpPort, metricsPort: this.metricsPort, models: placed?.table.models.size },
      "gateway listening",
    );
    return httpPort === undefined ? { port } : { port, httpPort };
  }

  /** Where metrics are served once it has started. */
  get metricsPort(): number {
    return this.#metrics.port;
  }

  /** Closes the connections to nodes that no route names any longer. */
  async #closeUnused(table: RouteTable): Promise<void> {
    const addresses = new Set<string>();
    for (const _ of addressSteps(table, addresses)) await setImmediate();
    this.#nodes.retain(addresses);
    this.#mirrorNodes.retain(addresses);
  }

  /** The table moves on while accepted calls finish; connections close last. */
  async stop(): Promise<void> {
    const steps = {
      notice: () => (this.#started ? this.#giveNotice() : undefined),
      servers: () => Promise.all([this.#started ? this.#server.stop() : undefined, this.#rest?.stop()]),
      limits: () => this.#shared?.release(),
      mirrors: () => this.#mirrors.stop(),
      "route link": () => this.#link.stop(),
      "route file": () => this.#routes.flush(),
      clients: () => {
        for (const client of [this.#control, this.#nodes, this.#registry, this.#trainer, this.#shareStore])
          client?.close();
      },
      metrics: () => this.#metrics.stop(),
    };
    await runStopSteps(Object.entries(steps), { msMax: stopMsMaxOf(this.#config), log: this.#log });
  }

  /** Calls are still taken until everybody has heard that no more should come. */
  async #giveNotice(): Promise<void> {
    this.#isLeaving = true;
    this.#server.setHealth("NOT_SERVING");
    await setTimeout(this.#config.drainDelayMs);
  }
}

const inferenceService = "inference.GRPCInferenceService";

/** How long a gateway that is gone keeps its slots of limits that are shared. */
const leaseMs = 4000;

// biome-ignore lint/correctness/useYield: it ends before the first message.
async function* refuse(): AsyncGenerator<never> {
  throw new ServiceError("METHOD_INTERNAL", "ControlService is answered by the registry only, at its own address");
}
