import { createReadStream } from "node:fs";
import { type Readable, Transform } from "node:stream";
import { createGunzip } from "node:zlib";
import { type Entry, extract } from "tar-stream";
import { messageOf, ServiceError } from "../../../../lib/errors.ts";
import type { ArchiveBounds, ArchiveFile } from "./archive-file.ts";
import { datasetError } from "./dataset-error.ts";

/** The files of a TAR archive, in its order, without the folders; throws DATASET_INVALID for damage and for links. */
export async function* tarFiles(
  path: string,
  { expandedBytesMax, isGzip }: ArchiveBounds & { readonly isGzip: boolean },
): AsyncGenerator<ArchiveFile> {
  const source = createReadStream(path);
  const bounded = atMost(expandedBytesMax * 2);
  const archive = extract();
  const streams: Readable[] = isGzip ? [source, source.pipe(createGunzip()), bounded] : [source, bounded];
  streams.at(-2)!.pipe(bounded).pipe(archive);
  // A pipe does not pass failures on.
  for (const stream of streams) stream.on("error", (failure: Error) => archive.destroy(failure));
  try {
    for await (const entry of archive) {
      const { type, name } = entry.header;
      if (type === "file" || type === "contiguous-file") yield fileOf(entry);
      else if (type !== "directory") {
        throw datasetError(`the archive has a ${type} ${JSON.stringify(name)}; needed: files and folders`);
      }
      entry.resume();
    }
  } catch (failure) {
    throw failure instanceof ServiceError ? failure : datasetError(`the archive is damaged: ${messageOf(failure)}`);
  } finally {
    for (const stream of streams) stream.destroy();
  }
}

function fileOf(entry: Entry): ArchiveFile {
  return { name: entry.header.name, bytes: entry.header.size ?? 0, open: () => entry };
}

/** Ends with DATASET_INVALID behind so many bytes: headers and padding count too, which a bound on files does not see. */
function atMost(bytesMax: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > bytesMax) done(datasetError(`the archive has more than ${bytesMax} bytes without compression`));
      else done(null, chunk);
    },
  });
}
