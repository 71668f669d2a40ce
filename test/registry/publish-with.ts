import type { RegistryServiceDefinition } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { RpcClient } from "../../lib/rpc/client.ts";
import { upload } from "./running-registry.ts";

/** Files beside an ONNX file, by their locations. */
export type ExternalContents = Readonly<Record<string, Uint8Array>>;

/** Uploads an ONNX file and others beside it, and registers them as the next version of a model; `request` has what differs. */
export async function publishWith(
  registry: RpcClient<RegistryServiceDefinition>,
  bytes: Uint8Array,
  files: ExternalContents,
  request: object = {},
) {
  const artifact = await upload(registry, bytes);
  const externalFiles = [];
  for (const [location, content] of Object.entries(files)) {
    externalFiles.push({ location, artifact: await upload(registry, content) });
  }
  const version = { variants: [{ artifact, externalFiles }] };
  const call = { parent: "models/m", version, allowMissingModel: true, ...request };
  return registry.unary("CreateVersion", call, { timeoutMs: 10_000 });
}
