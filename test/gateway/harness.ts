import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Settings } from "../../lib/env.ts";
import type { ModelRoute } from "../../lib/gen/amaas/registry/v1/ModelRoute.ts";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { remoteFaultOf } from "../../lib/rpc/status.ts";
import { readGatewayConfig } from "../../services/gateway/config.ts";
import { GatewayService } from "../../services/gateway/service.ts";
import { RawClient } from "./raw-client.ts";

/** An address where nothing listens. */
export const nowhere = "127.0.0.1:1";

export const inferPath = "/inference.GRPCInferenceService/ModelInfer";

/** A gateway in this process, the client that calls it, and the folder of its state. */
export class Harness {
  readonly client: RawClient;
  readonly address: string;
  /** Where it answers HTTP, if it does. */
  readonly httpUrl: string;
  readonly #service: GatewayService;
  #stopped: Promise<void> | undefined;

  private constructor(service: GatewayService, port: number, httpPort: number | undefined) {
    this.#service = service;
    this.httpUrl = `http://127.0.0.1:${httpPort}`;
    this.address = `127.0.0.1:${port}`;
    this.client = new RawClient(this.address);
  }

  /** Settings as the environment gives them; a port, and silence, are chosen here. */
  static async start(settings: Readonly<Record<string, string>>): Promise<Harness> {
    const env = {
      AMAAS_GATEWAY_PORT: "0",
      AMAAS_GATEWAY_HTTP_PORT: "0",
      AMAAS_GATEWAY_METRICS_PORT: "0",
      AMAAS_LOG_LEVEL: "silent",
      AMAAS_TRAINER_ADDRESS: nowhere,
      ...settings,
    };
    const service = new GatewayService(readGatewayConfig(new Settings(env)));
    const { port, httpPort } = await service.start();
    return new Harness(service, port, httpPort);
  }

  /** Where metrics are served. */
  get metricsPort(): number {
    return this.#service.metricsPort;
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.stopService();
  }

  /** Stops the gateway while its client goes on; once, however often it is called. */
  stopService(): Promise<void> {
    this.#stopped ??= this.#service.stop();
    return this.#stopped;
  }

  /** Calls one method of the inference service with a message by its fields. */
  infer(method: string, message: object, options: Parameters<RawClient["unary"]>[2] = {}) {
    const bytes = encodeMessage("inference", `inference.${method}Request`, message);
    return this.client.unary(`/inference.GRPCInferenceService/${method}`, bytes, options);
  }

  /** Settles once the gateway has a route table. */
  async routed(model: string, version = ""): Promise<void> {
    await eventually(() => this.infer("ModelReady", { name: model, version }));
  }
}

/** Repeats what fails until it does not; mocha's time limit ends what never succeeds. */
export async function eventually<Result>(attempt: () => Promise<Result> | Result): Promise<Result> {
  for (;;) {
    try {
      return await attempt();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** What a failed call says; fails if it succeeds. */
export async function faultOf(call: Promise<unknown>) {
  try {
    await call;
  } catch (failure) {
    return remoteFaultOf(failure);
  }
  throw new Error("the call succeeded");
}

/**
 * A route by versions and their addresses, or the reason why there are none, and by aliases and their versions, or the
 * weights of these.
 */
export function routeOf(
  model: string,
  versions: Record<number, string[] | string>,
  aliases: Record<string, number | Record<number, number>>,
): ModelRoute {
  const targetsOf = (weights: Record<number, number>) =>
    Object.entries(weights).map(([version, weight]) => ({ version: Number(version), weight }));
  return {
    model,
    versions: Object.entries(versions).map(([version, held]) => ({
      version: Number(version),
      addresses: typeof held === "string" ? [] : held,
      reason: typeof held === "string" ? held : "",
    })),
    aliases: Object.fromEntries(
      Object.entries(aliases).map(([alias, led]) => [
        alias,
        { targets: typeof led === "number" ? targetsOf({ [led]: 1 }) : targetsOf(led) },
      ]),
    ),
  };
}

/** An empty folder, and how to remove it. */
export async function emptyFolder() {
  const path = await mkdtemp(join(tmpdir(), "amaas-gateway-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
