import { ServiceError } from "../../../lib/errors.ts";
import type { DownloadArtifactResponse } from "../../../lib/gen/amaas/registry/v1/DownloadArtifactResponse.ts";
import type { RegistryServiceHandlers } from "../../../lib/gen/amaas/registry/v1/RegistryService.ts";
import type { UploadArtifactRequest__Output } from "../../../lib/gen/amaas/registry/v1/UploadArtifactRequest.ts";
import { pageKeyOf, pageSizeOf, pageTokenOf } from "../../../lib/paging.ts";
import { parseArtifactName, sha256Pattern } from "../../../lib/resource-names.ts";
import { BytesRoom } from "../../../lib/rpc/encoded.ts";
import type { Handlers } from "../../../lib/rpc/handlers.ts";
import type { Artifacts } from "../artifacts/artifacts.ts";
import { chunkBytes } from "../artifacts/byte-store.ts";
import type { Announced } from "../artifacts/spool.ts";
import { artifactMessage } from "../messages/artifact.ts";
import { checkStored } from "../store/artifacts.ts";
import type { ArtifactRow } from "../store/schema.ts";
import { actorOf } from "./actor.ts";
import { invalid, numberText, wordOf } from "./requests.ts";

type Calls = "UploadArtifact" | "QueryUpload" | "GetArtifact" | "ListArtifacts" | "DownloadArtifact";

/** The calls about artifacts. */
export function artifactHandlers({
  config: { bytesMax },
  store: artifacts,
  bytes,
  uploads,
}: Artifacts): Pick<Handlers<RegistryServiceHandlers>, Calls> {
  return {
    UploadArtifact: async (requests, call) => {
      const actor = actorOf(call, "UploadArtifact");
      const parts = requests[Symbol.asyncIterator]();
      const first = await uploads.opening(parts, AbortSignal.any([call.signal, call.draining]));
      const { offset, ...announced } = headerOf(first.value, bytesMax);
      if (offset > 0) await uploads.takeOver(announced.sha256, offset);
      const known = await artifacts.find(announced.sha256);
      if (known !== undefined) {
        checkKnown(known, announced);
        const renewed = (await bytes.isPresent(known)) && (await artifacts.renew(actor, known));
        if (renewed) return artifactMessage(renewed);
      }
      const incoming = { announced, offset, chunks: chunksOf(parts), signal: call.signal };
      return uploads.receive(incoming, async (path, signal) =>
        artifactMessage(await bytes.add(actor, announced, path, signal)),
      );
    },

    QueryUpload: async ({ name }) => {
      const sha256 = parseArtifactName(name);
      const known = await artifacts.find(sha256);
      if (known !== undefined && (await bytes.isPresent(known))) {
        return { committedBytes: known.size_bytes, complete: true };
      }
      return { committedBytes: uploads.committedBytes(sha256), complete: false };
    },

    GetArtifact: async ({ name }) => artifactMessage(await artifacts.get(parseArtifactName(name))),

    ListArtifacts: async ({ pageSize, pageToken, state }) => {
      const count = pageSizeOf(pageSize);
      const after = pageKeyOf(pageToken, sha256Pattern, { state }) ?? "";
      const word = wordOf("state", state, "STATE_");
      const rows = await artifacts.list(after, count + 1, word === "UNSPECIFIED" ? undefined : word);
      const page = rows.slice(0, count);
      const nextPageToken = rows.length > count ? pageTokenOf(page.at(-1)!.sha256, { state }) : "";
      return { artifacts: page.map(artifactMessage), nextPageToken };
    },

    DownloadArtifact: async function* ({ name, offset }, call) {
      const row = checkStored(await artifacts.get(parseArtifactName(name)));
      if (!(offset >= 0 && offset <= row.size_bytes)) {
        throw invalid("offset", offset, `0 to ${row.size_bytes}, the artifact's size`);
      }
      let reply!: BytesRoom<DownloadArtifactResponse>;
      const room = () => {
        reply = new BytesRoom(chunkField, chunkBytes);
        return reply.content;
      };
      for await (const chunk of bytes.read(row, offset, call.signal, room)) yield reply.message(chunk.length);
    },
  };
}

function headerOf(
  first: UploadArtifactRequest__Output | undefined,
  bytesMax: number,
): Announced & { readonly offset: number } {
  const header = first?.header;
  if (!header) throw invalid("the first message", first?.part ?? "missing", "a header");
  const { sizeBytes, offset } = header;
  const sha256 = header.sha256.toLowerCase();
  if (!sha256Pattern.test(sha256)) {
    throw invalid("header.sha256", JSON.stringify(header.sha256.slice(0, 100)), "64 hexadecimal digits");
  }
  if (!(sizeBytes >= 0)) throw invalid("header.size_bytes", sizeBytes, `0 to ${bytesMax}`);
  if (sizeBytes > bytesMax) {
    const message = `header.size_bytes is ${numberText(sizeBytes)}; needed: at most ${bytesMax}, AMAAS_ARTIFACT_BYTES_MAX`;
    throw new ServiceError("ARTIFACT_TOO_LARGE", message);
  }
  if (!(offset >= 0 && offset <= sizeBytes)) throw invalid("header.offset", offset, `0 to ${sizeBytes}, the size`);
  return { sha256, sizeBytes, offset };
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
    // One without bytes is no sign of life.
    if (chunk.length > 0) yield chunk;
  }
}

/** Largest chunk of an upload, in bytes. */
const chunkBytesMax = 4 * 1024 * 1024;

/** The number of `DownloadArtifactResponse.chunk`, the message's only field. */
const chunkField = 1;
