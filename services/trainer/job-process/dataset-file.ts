import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { UnreadFile } from "../datasets/read-dataset.ts";
import type { Compute } from "../engine/device.ts";

/** A dataset, and what reading it may take. */
export interface DatasetTask {
  readonly compute: Compute;
  /** Its file. */
  readonly dataset: string;
  /** A folder of the job's own. */
  readonly folder: string;
  /** Of all files of an archive together, without compression. */
  readonly expandedBytesMax: number;
}

/** Reads the file of a task, for which a quarter of its memory is, with an empty folder that is gone afterwards. */
export async function withDatasetFile<Result>(
  { compute, dataset, folder, expandedBytesMax }: DatasetTask,
  read: (file: UnreadFile) => Promise<Result>,
): Promise<Result> {
  const { threadCount, memoryBytesMax = Number.POSITIVE_INFINITY } = compute;
  const memory = Math.max(readerBytesMin, Math.min(Math.floor(memoryBytesMax / 4), readerBytesMax));
  const reading = await mkdtemp(join(folder, "reading-"));
  try {
    return await read({ path: dataset, folder: reading, memoryBytesMax: memory, threadCount, expandedBytesMax });
  } finally {
    await rm(reading, { recursive: true, force: true });
  }
}

/** What a reader needs at least, and more than which makes none faster. */
const [readerBytesMin, readerBytesMax] = [64 * 1024 ** 2, 4 * 1024 ** 3];
