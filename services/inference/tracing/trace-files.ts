import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { RequestTrace } from "./request-trace.ts";
import type { TraceTarget } from "./trace-table.ts";

/** What trace files are made of. */
export interface TraceFilesOptions {
  readonly folder: string;
  /** Of all files in the folder together. */
  readonly bytesMax: number;
  /** Called where traces cannot be written; those that wait are given up. */
  readonly onFailure: (failure: unknown) => void;
  /** Called when all that waited is written and some, so many, had no place among what waited. */
  readonly onDropped: (count: number) => void;
}

/** How far the files of one name, or the one file, are written. */
interface Series {
  index: number;
  /** In the file of this index. */
  traceCount: number;
}

/**
 * Writes traces in the order of `add`, each file a JSON list at any moment between two writes. A file that was there before the node
 * started is replaced.
 */
export class TraceFiles {
  readonly #options: TraceFilesOptions;
  readonly #series = new Map<string, Series>();
  #waiting: RequestTrace[] = [];
  #writing: Promise<void> | undefined;
  /** What is in the folder; undefined where that has to be found out. */
  #held: { bytes: number; fileCount: number } | undefined;
  #unreportedCount = 0;
  #writtenCount = 0;
  #droppedCount = 0;

  constructor(options: TraceFilesOptions) {
    this.#options = options;
  }

  /** Traces that were written. */
  get writtenCount(): number {
    return this.#writtenCount;
  }

  /** Traces that were not, because too many waited or the disk did not take them. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  /** Has a trace written; too many of them are dropped. */
  add(trace: RequestTrace): void {
    if (this.#waiting.length >= waitingMax) {
      this.#droppedCount++;
      this.#unreportedCount++;
      return;
    }
    this.#waiting.push(trace);
    this.#writing ??= this.#writeAll();
  }

  /** Settles when all that was added before is written or given up. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, batchMax);
      const writtenBefore = this.#writtenCount;
      try {
        await this.#write(batch);
      } catch (failure) {
        this.#droppedCount += batch.length - (this.#writtenCount - writtenBefore) + this.#waiting.length;
        this.#waiting = [];
        this.#held = undefined;
        this.#options.onFailure(failure);
      }
    }
    this.#writing = undefined;
    const unreportedCount = this.#unreportedCount;
    this.#unreportedCount = 0;
    if (unreportedCount > 0) this.#options.onDropped(unreportedCount);
  }

  async #write(batch: readonly RequestTrace[]): Promise<void> {
    for (let begin = 0, end = 0; begin < batch.length; begin = end) {
      const { target } = batch[begin];
      const series = this.#seriesFor(target);
      const endMax = target.logFrequency === 0 ? batch.length : begin + target.logFrequency - series.traceCount;
      end = begin + 1;
      while (end < Math.min(endMax, batch.length) && isSame(batch[end].target, target)) end++;
      const name = target.logFrequency === 0 ? target.file : `${target.file}.${series.index}`;
      const texts = batch.slice(begin, end).map((trace) => trace.text());
      await this.#append(name, series.traceCount > 0, texts);
      series.traceCount += texts.length;
      this.#writtenCount += texts.length;
    }
  }

  #seriesFor({ file, logFrequency }: TraceTarget): Series {
    const key = logFrequency === 0 ? file : `${file}/`;
    const series = this.#series.get(key) ?? { index: 0, traceCount: 0 };
    if (!this.#series.has(key)) {
      if (this.#series.size >= filesMax) throw new Error(`${filesMax} trace files have been named; needed: fewer`);
      this.#series.set(key, series);
    }
    if (logFrequency > 0 && series.traceCount >= logFrequency) {
      series.index++;
      series.traceCount = 0;
    }
    return series;
  }

  async #append(name: string, goesOn: boolean, texts: readonly string[]): Promise<void> {
    const { folder } = this.#options;
    const path = join(folder, name);
    await mkdir(folder, { recursive: true });
    const bytes = Buffer.from(texts.join(",\n"));
    await this.#makeRoom(bytes.byteLength + frameBytes);
    const held = this.#held!;
    // Somebody may have removed or emptied it.
    const file = await open(path, constants.O_RDWR | constants.O_CREAT);
    try {
      const size = (await file.stat()).size;
      const keptBytes = goesOn ? size : 0;
      if (size > keptBytes) await file.truncate(keptBytes);
      if (size === 0) held.fileCount++;
      await addToList(file, keptBytes, bytes, path);
      held.bytes += (await file.stat()).size - size;
    } finally {
      await file.close();
    }
  }

  async #makeRoom(bytes: number): Promise<void> {
    const { folder, bytesMax } = this.#options;
    const hasRoom = () => this.#held!.bytes + bytes <= bytesMax && this.#held!.fileCount < filesMax;
    if (this.#held !== undefined && hasRoom()) return;
    // Somebody may have removed files.
    this.#held = await heldIn(folder);
    if (hasRoom()) return;
    const { bytes: held, fileCount } = this.#held;
    throw new Error(
      `${folder} has ${held} bytes in ${fileCount} files; needed: room for ${bytes} more within ${bytesMax} bytes and ${filesMax} files`,
    );
  }
}

/** Puts texts at the end of a file with a list of so many bytes, or with nothing; where that fails the list stays as it was. */
async function addToList(file: FileHandle, listBytes: number, texts: Buffer, path: string): Promise<void> {
  const isNew = listBytes < frameBytes;
  const at = isNew ? 0 : listBytes - listEnd.byteLength;
  try {
    const bytes = Buffer.concat([Buffer.from(isNew ? "[\n" : ",\n"), texts, listEnd]);
    for (let done = 0; done < bytes.byteLength; ) {
      done += (await file.write(bytes, done, bytes.byteLength - done, at + done)).bytesWritten;
    }
  } catch (failure) {
    if (isNew) await unlink(path);
    else {
      await file.truncate(listBytes);
      await file.write(listEnd, 0, listEnd.byteLength, at);
    }
    throw failure;
  }
}

async function heldIn(folder: string): Promise<{ bytes: number; fileCount: number }> {
  const names = await readdir(folder);
  let bytes = 0;
  for (const name of names) bytes += (await stat(join(folder, name))).size;
  return { bytes, fileCount: names.length };
}

function isSame(one: TraceTarget, other: TraceTarget): boolean {
  return one.file === other.file && one.logFrequency === other.logFrequency;
}

const listEnd = Buffer.from("\n]\n");
/** What a list has besides its texts, at most. */
const frameBytes = 2 + listEnd.byteLength;
/** Traces that wait to be written; a megabyte or two. */
export const waitingMax = 4096;
/** Traces that are written at a time, so that their text is made within a millisecond. */
const batchMax = 256;
/** In the folder, and names that were said since the node started. */
const filesMax = 10_000;
