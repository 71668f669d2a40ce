import { createHash } from "node:crypto";
import type { RegistryServiceDefinition } from "../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { Sample } from "../../lib/gen/amaas/registry/v1/Sample.ts";
import { artifactName, modelName } from "../../lib/resource-names.ts";
import type { RpcClient } from "../../lib/rpc/client.ts";

/** Uploads bytes and answers the name of the artifact. */
export async function upload(registry: RpcClient<RegistryServiceDefinition>, bytes: Buffer): Promise<string> {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const parts = [{ header: { sha256, sizeBytes: bytes.length } }, { chunk: bytes }];
  await registry.clientStream("UploadArtifact", parts, { timeoutMs: 10_000 });
  return artifactName(sha256);
}

/** Registers an ONNX file as the next version of a model and points "default" at it; answers the name of the version. The sample is for models that do not run on zeros. */
export async function publish(
  registry: RpcClient<RegistryServiceDefinition>,
  model: string,
  bytes: Buffer,
  sample?: Sample,
): Promise<string> {
  const artifact = await upload(registry, bytes);
  const request = { parent: modelName(model), version: { variants: [{ artifact }] }, allowMissingModel: true, sample };
  const { name } = await registry.unary("CreateVersion", request, { timeoutMs: 10_000 });
  const targets = [{ version: Number(name.split("/").at(-1)) }];
  const alias = { name: `${modelName(model)}/aliases/default`, targets };
  await registry.unary("UpdateAlias", { alias, allowMissing: true }, { timeoutMs: 10_000 });
  return name;
}
