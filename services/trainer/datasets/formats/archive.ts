import { normalize } from "node:path/posix";
import type { ArchiveBounds, ArchiveFile } from "./archive-file.ts";
import { datasetError } from "./dataset-error.ts";
import { firstBytes } from "./first-bytes.ts";
import { tarFiles } from "./tar-files.ts";
import { openZip } from "./zip-file.ts";

/** Most files of an archive. */
const filesMax = 2_000_000;

/** The first bytes of a file tell what it is. */
export type ArchiveKind = "zip" | "gzip" | "tar";

/** What kind of archive a file is; undefined for none. */
export async function archiveKind(path: string): Promise<ArchiveKind | undefined> {
  const bytes = await firstBytes(path);
  if (bytes.startsWith("PK\x03\x04") || bytes.startsWith("PK\x05\x06")) return "zip";
  if (bytes.startsWith("\x1f\x8b")) return "gzip";
  return bytes.slice(257, 262) === "ustar" ? "tar" : undefined;
}

/**
 * The files of a ZIP or TAR archive, or of a TAR in gzip, in its order. Throws DATASET_INVALID for links, for paths that lead out of the
 * archive or are there twice, for more files or bytes than the bounds, and for damage.
 */
export async function* archiveFiles(path: string, bounds: ArchiveBounds): AsyncGenerator<ArchiveFile> {
  const kind = await archiveKind(path);
  if (kind === undefined) throw datasetError("the file is no archive; needed: ZIP, TAR or a TAR in gzip");
  let bytes = 0;
  const names = new Set<string>();
  for await (const file of kind === "zip" ? zipFiles(path) : tarFiles(path, { ...bounds, isGzip: kind === "gzip" })) {
    bytes += file.bytes;
    if (names.size >= filesMax) throw datasetError(`the archive has more than ${filesMax} files`);
    if (bytes > bounds.expandedBytesMax) {
      throw datasetError(`the archive has more than ${bounds.expandedBytesMax} bytes without compression`);
    }
    checkPath(file.name);
    // "./a" and "a" are the same file.
    const name = normalize(file.name);
    if (names.has(name)) throw datasetError(`the archive has ${quoted(file.name)} twice; needed: each file once`);
    names.add(name);
    yield file;
  }
}

/** The bytes of one file; throws DATASET_INVALID if there is none of that name. */
export async function* archivedBytes(path: string, name: string, bounds: ArchiveBounds): AsyncGenerator<Uint8Array> {
  for await (const file of archiveFiles(path, bounds)) {
    if (file.name !== name) continue;
    yield* file.open();
    return;
  }
  throw datasetError(`the archive has no file ${JSON.stringify(name)}`);
}

async function* zipFiles(path: string): AsyncGenerator<ArchiveFile> {
  const zip = await openZip(path);
  try {
    yield* zip.files();
  } finally {
    zip.close();
  }
}

function checkPath(name: string): void {
  const isInside = !name.startsWith("/") && !/[\\\0]|^[a-z]:/i.test(name) && !name.split("/").includes("..");
  if (isInside) return;
  throw datasetError(`the archive has a file ${quoted(name)}; needed: paths inside of the archive`);
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 128));
}
