import type { Clock } from "../../../lib/clock.ts";
import { ServiceError } from "../../../lib/errors.ts";
import type { Artifact } from "../../../lib/gen/amaas/registry/v1/Artifact.ts";
import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { UploadArtifactRequest__Output } from "../../../lib/gen/amaas/registry/v1/UploadArtifactRequest.ts";
import { artifactName, parseArtifactName } from "../../../lib/resource-names.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import { timestampOf } from "../../../lib/timestamp.ts";
import type { Announced, ArtifactFiles } from "../artifacts/artifact-files.ts";
import type { ArtifactStore } from "../store/artifacts.ts";
import type { ArtifactRow } from "../store/schema.ts";
import { invalid } from "./requests.ts";

/** What the calls about artifacts need. */
export interface ArtifactHandlerParts {
  readonly artifacts: ArtifactStore;
  readonly files: ArtifactFiles;
  readonly artifactBytesMax: number;
  readonly clock: Clock;
}

/** The calls about artifacts. */
export function artifactHandlers({
  artifacts,
  files,
  artifactBytesMax,
  clock,
}: ArtifactHandlerParts): Pick<
  Handlers<RegistryServiceHandlers>,
  "UploadArtifact" | "GetArtifact" | "DownloadArtifact"
> {
  return {
    UploadArtifact: async (requests) => {
      const parts = requests[Symbol.asyncIterator]();
      const announced = headerOf((await parts.next()).value, artifactBytesMax);
      const known = await artifacts.find(announced.sha256);
      if (known !== undefined) checkKnown(known, announced);
      // Bytes that the disk has lost are taken again.
      if (known !== undefined && (await files.has(announced))) return artifactMessage(known);
      await files.write(announced, chunksOf(parts));
      const row = { sha256: announced.sha256, size_bytes: announced.sizeBytes, create_time: clock.now() };
      return artifactMessage(await artifacts.add(row));
    },

    GetArtifact: async ({ name }) => artifactMessage(await artifacts.get(parseArtifactName(name))),

    DownloadArtifact: async function* ({ name, offset }) {
      const sha256 = parseArtifactName(name);
      const { size_bytes } = await artifacts.get(sha256);
      if (!(offset >= 0 && offset <= size_bytes))
        throw invalid("offset", offset, `0 to ${size_bytes}, the artifact's size`);
      for await (const chunk of files.read(sha256, offset)) yield { chunk };
    },
  };
}

function headerOf(first: UploadArtifactRequest__Output | undefined, artifactBytesMax: number): Announced {
  const header = first?.header;
  if (!header) throw invalid("the first message", first?.part ?? "missing", "a header");
  const sha256 = header.sha256.toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(sha256)) {
    throw invalid("header.sha256", JSON.stringify(header.sha256.slice(0, 100)), "64 hexadecimal digits");
  }
  if (!(header.sizeBytes >= 0)) throw invalid("header.size_bytes", header.sizeBytes, "a size in bytes");
  if (header.sizeBytes > artifactBytesMax) {
    const needed = `at most ${artifactBytesMax}, AMAAS_ARTIFACT_BYTES_MAX`;
    throw new ServiceError("ARTIFACT_TOO_LARGE", `header.size_bytes is ${header.sizeBytes}; needed: ${needed}`);
  }
  return { sha256, sizeBytes: header.sizeBytes };
}

function checkKnown(known: ArtifactRow, { sizeBytes }: Announced): void {
  if (known.size_bytes === sizeBytes) return;
  throw invalid("header.size_bytes", sizeBytes, `${known.size_bytes}, the size of the artifact with this SHA-256`);
}

async function* chunksOf(parts: AsyncIterator<UploadArtifactRequest__Output>): AsyncGenerator<Buffer> {
  for (let part = await parts.next(); !part.done; part = await parts.next()) {
    const { chunk } = part.value;
    if (!chunk) throw invalid("a message after the first", part.value.part ?? "empty", "a chunk");
    if (chunk.length > chunkBytesMax) throw invalid("chunk", `${chunk.length} bytes`, `at most ${chunkBytesMax} bytes`);
    yield chunk;
  }
}

/** Largest chunk of an upload, in bytes. */
const chunkBytesMax = 4 * 1024 * 1024;

function artifactMessage(row: ArtifactRow): Artifact {
  return { name: artifactName(row.sha256), sizeBytes: row.size_bytes, createTime: timestampOf(row.create_time) };
}
