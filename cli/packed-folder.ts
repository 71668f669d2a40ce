import { createReadStream } from "node:fs";
import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";

/** A file of a folder. */
export interface FolderFile {
  /** Its place in the folder, with "/" between the names. */
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

/** Files of a folder that are packed, at most: as many as the trainer reads of an archive. */
const filesMax = 2_000_000;

/** All files of a folder, by their names. Throws where there is none, where there are too many, and for anything but files and folders. */
export async function filesOf(folder: string): Promise<readonly FolderFile[]> {
  const files: FolderFile[] = [];
  for await (const file of filesIn(folder, "")) {
    files.push(file);
    if (files.length > filesMax) throw new Error(`${folder} has more than ${filesMax} files; needed: at most that`);
  }
  if (files.length === 0) throw new Error(`${folder} has no files; needed: at least 1`);
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The files as a TAR archive that depends on nothing but their names and bytes: neither on who owns them, nor on when they were written. It is
 * read as it is made, and fails where a file has become longer or shorter than it was.
 */
export function packed(files: readonly FolderFile[]): Readable {
  const archive = pack();
  const fill = async () => {
    for (const { name, path, bytes } of files) {
      const header = { name, size: bytes, mode: 0o644, mtime: new Date(0) };
      await pipeline(createReadStream(path), archive.entry(header));
    }
    archive.finalize();
  };
  fill().catch((failure) => archive.destroy(failure));
  return archive;
}

async function* filesIn(folder: string, prefix: string): AsyncGenerator<FolderFile> {
  for await (const { name: own } of await opendir(folder)) {
    const [path, name] = [join(folder, own), `${prefix}${own}`];
    const facts = await lstat(path);
    if (facts.isDirectory()) yield* filesIn(path, `${name}/`);
    else if (facts.isFile()) yield { name, path, bytes: facts.size };
    else throw new Error(`${path} is neither a file nor a folder; needed: one of these, and no link`);
  }
}
