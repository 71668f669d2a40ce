import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { RegistryServiceDefinition } from "../lib/gen/amaas/registry/v1/RegistryService.ts";
import { artifactName } from "../lib/resource-names.ts";
import { RpcClient } from "../lib/rpc/client.ts";
import { filesOf, packed } from "./packed-folder.ts";

/**
 * Stores a file in the registry behind an address, or a folder as a TAR archive; answers the name of the artifact, "artifacts/{sha256}". The
 * same bytes are stored once, and an upload that was broken off goes on where it was. The bytes are read twice and never held all at once.
 */
export async function upload(path: string, address: string): Promise<string> {
  const open = await sourceOf(path);
  const { sha256, sizeBytes } = await digestOf(open());
  const registry = new RpcClient<RegistryServiceDefinition>("amaas.registry.v1.RegistryService", address);
  try {
    const name = artifactName(sha256);
    const known = await registry.unary("QueryUpload", { name }, { timeoutMs: callMsMax });
    if (known.complete) return name;
    const offset = known.committedBytes;
    const timeoutMs = callMsMax + (sizeBytes / 2 ** 20) * 1000;
    await registry.clientStream("UploadArtifact", partsOf(open(), { sha256, sizeBytes, offset }), { timeoutMs });
    return name;
  } finally {
    registry.close();
  }
}

/** How long a call may take, in milliseconds; an upload gets a second more for each MiB. */
const callMsMax = 30_000;
const chunkBytes = 2 ** 20;

async function sourceOf(path: string): Promise<() => Readable> {
  const facts = await stat(path);
  if (facts.isFile()) return () => createReadStream(path, { highWaterMark: chunkBytes });
  if (!facts.isDirectory()) throw new Error(`${path} is neither a file nor a folder; needed: one of these`);
  const files = await filesOf(path);
  return () => packed(files);
}

async function digestOf(source: Readable): Promise<{ readonly sha256: string; readonly sizeBytes: number }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const bytes of source as AsyncIterable<Buffer>) {
    hash.update(bytes);
    sizeBytes += bytes.length;
  }
  return { sha256: hash.digest("hex"), sizeBytes };
}

interface UploadHeader {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Bytes that the registry has already. */
  readonly offset: number;
}

async function* partsOf(source: Readable, header: UploadHeader) {
  yield { header };
  let left = header.offset;
  for await (const bytes of source as AsyncIterable<Buffer>) {
    const chunk = bytes.subarray(Math.min(left, bytes.length));
    left -= bytes.length - chunk.length;
    if (chunk.length > 0) yield { chunk };
  }
}
