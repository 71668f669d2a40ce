import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { Settings } from "../../lib/env.ts";
import type { ControlServiceDefinition } from "../../lib/gen/amaas/registry/v1/ControlService.ts";
import type { RegistryServiceDefinition } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { artifactName, modelName } from "../../lib/resource-names.ts";
import { RpcClient } from "../../lib/rpc/client.ts";
import { type RemoteFault, remoteFaultOf } from "../../lib/rpc/status.ts";
import { readRegistryConfig } from "../../services/registry/config.ts";
import { RegistryService } from "../../services/registry/service.ts";

/** How long a call of a test may take, also where the machine has much other work; less than a test may, so that the call is named. */
export const callMsMax = 50_000;

/** A registry on a free port, with a client of each of its services. */
export interface RunningRegistry {
  readonly registry: RpcClient<RegistryServiceDefinition>;
  readonly control: RpcClient<ControlServiceDefinition>;
  readonly address: string;
  /** Drains and stops it; the folder stays. */
  stop(): Promise<void>;
}

/** Starts a registry on a folder; further settings by the names of their variables. */
export async function startRegistry(
  dataDir: string,
  settings: Readonly<Record<string, string>> = {},
  clock?: Clock,
): Promise<RunningRegistry> {
  const env = {
    AMAAS_DATA_DIR: dataDir,
    AMAAS_REGISTRY_PORT: "0",
    AMAAS_LOG_LEVEL: "silent",
    AMAAS_DRAIN_TIMEOUT_MS: "1000",
    ...settings,
  };
  const service = new RegistryService(readRegistryConfig(new Settings(env)), clock);
  const { port } = await service.start();
  const clients = clientsOf(`127.0.0.1:${port}`);
  return {
    ...clients,
    stop: async () => {
      clients.close();
      await service.stop();
    },
  };
}

/** Clients of a registry that runs somewhere. */
export function clientsOf(address: string) {
  const registry = new RpcClient<RegistryServiceDefinition>("amaas.registry.v1.RegistryService", address);
  const control = new RpcClient<ControlServiceDefinition>("amaas.registry.v1.ControlService", address);
  const close = () => {
    registry.close();
    control.close();
  };
  return { registry, control, address, close };
}

/** A new empty folder, and how to remove it. */
export async function emptyFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "amaas-registry-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** The SHA-256 of bytes, in hexadecimal. */
export const sha256Of = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Uploads bytes in chunks; answers the name of the artifact. */
export async function upload(
  registry: RpcClient<RegistryServiceDefinition>,
  bytes: Uint8Array,
  chunkBytes = 1024 ** 2,
): Promise<string> {
  const parts = [];
  for (let begin = 0; begin < bytes.length; begin += chunkBytes) {
    parts.push({ chunk: Buffer.from(bytes.subarray(begin, begin + chunkBytes)) });
  }
  const header = { sha256: sha256Of(bytes), sizeBytes: bytes.length };
  const { name } = await registry.clientStream("UploadArtifact", [{ header }, ...parts], { timeoutMs: callMsMax });
  return name;
}

/** Uploads an ONNX file and registers it as the next version of a model, which it makes if need be. */
export async function publish(registry: RpcClient<RegistryServiceDefinition>, model: string, bytes: Uint8Array) {
  const artifact = await upload(registry, bytes);
  const request = { parent: modelName(model), version: { variants: [{ artifact }] }, allowMissingModel: true };
  return registry.unary("CreateVersion", request, { timeoutMs: callMsMax });
}

/** Points an alias at a version, whether it exists or not. */
export function point(registry: RpcClient<RegistryServiceDefinition>, model: string, alias: string, version: number) {
  const request = {
    alias: { name: `${modelName(model)}/aliases/${alias}`, targets: [{ version }] },
    allowMissing: true,
  };
  return registry.unary("UpdateAlias", request, { timeoutMs: callMsMax });
}

/** The fault of a call that must fail. */
export async function faultOf(call: Promise<unknown>): Promise<RemoteFault> {
  const reply = await call.then(
    (value) => ({ value }),
    (failure) => ({ fault: remoteFaultOf(failure) }),
  );
  if ("fault" in reply) return reply.fault;
  throw new Error(`the call succeeded: ${JSON.stringify(reply.value)}`);
}

/** The name of an artifact that nobody uploaded. */
export const noArtifact = artifactName("0".repeat(64));
