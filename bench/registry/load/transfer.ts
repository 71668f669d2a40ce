import { createHash } from "node:crypto";
import type { RegistryServiceDefinition } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { UploadArtifactRequest } from "../../../lib/gen/amaas/registry/v1/UploadArtifactRequest.ts";
import { artifactName } from "../../../lib/resource-names.ts";
import { RpcClient } from "../../../lib/rpc/client.ts";
import { BytesRoom, type MaybeEncoded } from "../../../lib/rpc/encoded.ts";
import { blockBytes, type Content, contentBlocks, sha256Of } from "./content.ts";

/** What an upload or a download has come to. */
export interface Transfer {
  readonly sha256: string;
  readonly seconds: number;
}

/** Uploads a content; its digest is found before the time begins. */
export function upload(address: string, content: Content): Promise<Transfer> {
  const sha256 = sha256Of(content);
  return timed(address, sha256, async (registry) => {
    const { sizeBytes } = await registry.clientStream("UploadArtifact", partsOf(content, sha256));
    if (sizeBytes !== content.sizeBytes) throw new Error(`${sizeBytes} of ${content.sizeBytes} bytes arrived`);
  });
}

/** Downloads an artifact and checks it. */
export function download(address: string, sha256: string): Promise<Transfer> {
  return timed(address, sha256, async (registry) => {
    const hash = createHash("sha256");
    for await (const { chunk } of registry.serverStream("DownloadArtifact", { name: artifactName(sha256) })) {
      hash.update(chunk);
    }
    const seen = hash.digest("hex");
    if (seen !== sha256) throw new Error(`the bytes that arrived have the SHA-256 ${seen}; needed: ${sha256}`);
  });
}

/** Field 2 of UploadArtifactRequest is the chunk. */
function* partsOf(content: Content, sha256: string): Generator<MaybeEncoded<UploadArtifactRequest>> {
  yield { header: { sha256, sizeBytes: content.sizeBytes } };
  for (const block of contentBlocks(content)) {
    const room = new BytesRoom<UploadArtifactRequest>(2, blockBytes);
    yield room.message(block.copy(room.content));
  }
}

async function timed(
  address: string,
  sha256: string,
  work: (registry: RpcClient<RegistryServiceDefinition>) => Promise<void>,
): Promise<Transfer> {
  const registry = new RpcClient<RegistryServiceDefinition>("amaas.registry.v1.RegistryService", address);
  try {
    const begin = performance.now();
    await work(registry);
    return { sha256, seconds: (performance.now() - begin) / 1000 };
  } finally {
    registry.close();
  }
}
