import type { RegistryServiceDefinition } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { artifactName } from "../../../lib/resource-names.ts";
import type { RpcClient } from "../../../lib/rpc/client.ts";

/** Gives the bytes of an artifact from an offset on, in chunks. Fails with the error of the call. */
export type ArtifactSource = (sha256: string, offset: number, signal: AbortSignal) => AsyncIterable<Uint8Array>;

/** Reads artifacts from the registry. */
export function registrySource(client: RpcClient<RegistryServiceDefinition>): ArtifactSource {
  return async function* (sha256, offset, signal) {
    const request = { name: artifactName(sha256), offset };
    for await (const { chunk } of client.serverStream("DownloadArtifact", request, { signal })) yield chunk;
  };
}
