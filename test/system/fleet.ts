import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RegistryServiceDefinition } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { GRPCInferenceServiceDefinition } from "../../lib/gen/inference/GRPCInferenceService.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { type ServiceProcess, spawnService } from "../service-process.ts";

/** A registry, nodes and a gateway as processes that nobody watches over: what ends stays away until it is started again. */
export class Fleet {
  readonly nodes = new Map<string, ServiceProcess>();
  registry!: ServiceProcess;
  gateway!: ServiceProcess;
  /** Clients of the registry itself and of the gateway. */
  control!: RpcClient<RegistryServiceDefinition>;
  inference!: RpcClient<GRPCInferenceServiceDefinition>;
  #folder = "";
  #env: Readonly<Record<string, string>> = {};

  async start(nodes: readonly string[]): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "amaas-fleet-"));
    await this.startRegistry();
    this.#env = {
      AMAAS_REGISTRY_ADDRESS: this.registry.address,
      AMAAS_TRAINER_ADDRESS: "127.0.0.1:1",
      AMAAS_INFERENCE_METRICS_PORT: "0",
      AMAAS_INFERENCE_CORES: "1",
      AMAAS_INFERENCE_PORT: "0",
    };
    await Promise.all([...nodes.map((name) => this.startNode(name)), this.startGateway()]);
    this.control = new RpcClient("amaas.registry.v1.RegistryService", this.registry.address);
    this.inference = new RpcClient("inference.GRPCInferenceService", this.gateway.address);
  }

  /** Starts it, or starts it again where it was. */
  async startRegistry(): Promise<void> {
    this.registry = await spawnService("registry", join(this.#folder, "registry"), {
      AMAAS_REGISTRY_PORT: String(this.registry?.port ?? 0),
      AMAAS_REPLICAS_PER_VERSION: "3",
    });
  }

  /** Starts it, or starts it again where it was. */
  async startGateway(): Promise<void> {
    this.gateway = await spawnService("gateway", join(this.#folder, "gateway"), {
      ...this.#env,
      AMAAS_GATEWAY_PORT: String(this.gateway?.port ?? 0),
      AMAAS_GATEWAY_HTTP: "off",
      AMAAS_GATEWAY_METRICS_PORT: "0",
    });
  }

  /** Starts one, or starts it again on its folder, wherever there is a port. */
  async startNode(name: string): Promise<void> {
    const env = { ...this.#env, AMAAS_NODE_NAME: name };
    this.nodes.set(name, await spawnService("inference", join(this.#folder, name), env));
  }

  async remove(): Promise<void> {
    this.control?.close();
    this.inference?.close();
    const processes = [this.gateway, ...this.nodes.values(), this.registry];
    await Promise.all(processes.map((one) => one?.kill()));
    await rm(this.#folder, { recursive: true, force: true });
  }
}
