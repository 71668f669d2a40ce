import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Settings } from "../../lib/env.ts";
import type { GRPCInferenceServiceDefinition } from "../../lib/gen/inference/GRPCInferenceService.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { type InferenceConfig, readInferenceConfig } from "../../services/inference/config.ts";
import { type InferenceParts, InferenceService } from "../../services/inference/service.ts";

/** An inference service on a free port, with a client. */
export interface RunningNode {
  readonly client: RpcClient<GRPCInferenceServiceDefinition>;
  readonly address: string;
  readonly service: InferenceService;
  stop(): Promise<void>;
}

/** Starts a node on a folder and a registry; further settings replace those that follow from these. */
export async function startNode(
  dataDir: string,
  registryAddress: string,
  settings: Partial<InferenceConfig> = {},
  parts: InferenceParts = {},
): Promise<RunningNode> {
  const env = {
    AMAAS_DATA_DIR: dataDir,
    AMAAS_REGISTRY_ADDRESS: registryAddress,
    AMAAS_INFERENCE_PORT: "0",
    AMAAS_INFERENCE_METRICS_PORT: "0",
    AMAAS_NODE_NAME: "node-1",
    AMAAS_LOG_LEVEL: "silent",
    AMAAS_INFERENCE_INTRA_OP_THREADS: "1",
    AMAAS_INFERENCE_REHEARSAL_CALLS: "0",
  };
  const service = new InferenceService({ ...readInferenceConfig(new Settings(env)), ...settings }, parts);
  const { port } = await service.start();
  const address = `127.0.0.1:${port}`;
  const client = new RpcClient<GRPCInferenceServiceDefinition>("inference.GRPCInferenceService", address);
  return {
    client,
    address,
    service,
    stop: async () => {
      client.close();
      await service.stop();
    },
  };
}

/** A new empty folder, and how to remove it. */
export async function emptyFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "amaas-inference-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
