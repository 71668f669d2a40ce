import { crc32 } from "node:zlib";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { messageOf } from "../../../../lib/errors.ts";
import type { ArchiveFile } from "./archive-file.ts";
import { datasetError } from "./dataset-error.ts";

/** A ZIP archive; its files can be read in any order, and several at a time. */
export interface OpenZip {
  /** Goes through the files, once, without the folders. */
  files(): AsyncGenerator<ArchiveFile>;
  close(): void;
}

/** Opens a ZIP archive; throws DATASET_INVALID for what is none. Sizes and checksums are checked while a file is read. */
export async function openZip(path: string): Promise<OpenZip> {
  const zip = await openPromise(path, { autoClose: false, strictFileNames: true }).catch(damaged);
  return { files: () => filesOf(zip), close: () => zip.close() };
}

async function* filesOf(zip: ZipFile): AsyncGenerator<ArchiveFile> {
  const entries = zip.eachEntry();
  for (;;) {
    const { value: entry, done } = await entries.next().catch(damaged);
    if (done) return;
    if (entry.fileName.endsWith("/")) continue;
    if (isLink(entry))
      throw datasetError(`the archive has a link ${JSON.stringify(entry.fileName)}; needed: files and folders`);
    yield { name: entry.fileName, bytes: entry.uncompressedSize, open: () => bytesOf(zip, entry) };
  }
}

async function* bytesOf(zip: ZipFile, entry: Entry): AsyncGenerator<Uint8Array> {
  let checksum = 0;
  try {
    for await (const chunk of await zip.openReadStreamPromise(entry)) {
      checksum = crc32(chunk as Buffer, checksum);
      yield chunk as Buffer;
    }
  } catch (failure) {
    damaged(failure);
  }
  if (checksum !== entry.crc32) throw datasetError(`the archive is damaged: ${entry.fileName} has another checksum`);
}

/** A symbolic link of Unix, whose file mode is in the upper half. */
function isLink({ externalFileAttributes }: Entry): boolean {
  return ((externalFileAttributes >>> 16) & 0o170000) === 0o120000;
}

function damaged(failure: unknown): never {
  throw datasetError(`the archive is damaged: ${messageOf(failure)}`);
}
