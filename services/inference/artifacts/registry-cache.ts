import type { Clock } from "../../../lib/clock.ts";
import type { RegistryServiceDefinition } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import { artifactName } from "../../../lib/resource-names.ts";
import type { RpcClient } from "../../../lib/rpc/client.ts";
import { ArtifactCache } from "./artifact-cache.ts";

/** A cache whose artifacts come from the registry. */
export function registryCache(
  folder: string,
  registry: RpcClient<RegistryServiceDefinition>,
  clock: Clock,
): ArtifactCache {
  return new ArtifactCache(folder, {
    source: async function* (sha256, offset, signal) {
      const request = { name: artifactName(sha256), offset };
      for await (const { chunk } of registry.serverStream("DownloadArtifact", request, { signal })) yield chunk;
    },
    clock,
    random: Math.random,
    resume: { firstMs: 100, maxMs: 2000 },
    attemptsMax: 5,
    idleMsMax: 30_000,
  });
}
