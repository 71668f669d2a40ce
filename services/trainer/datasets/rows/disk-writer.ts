import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { ServiceError } from "../../../../lib/errors.ts";
import type { DiskStorage, RowElements } from "../row-source.ts";
import { type RowWidths, type RowWriter, rowsFor, type WrittenRows } from "./row-writer.ts";

/** Keeps rows in two files of a folder; throws DISK_FULL where they do not fit. */
export class DiskWriter implements RowWriter {
  readonly #training: RowFile;
  readonly #validation: RowFile;

  private constructor(training: RowFile, validation: RowFile) {
    [this.#training, this.#validation] = [training, validation];
  }

  static async create(widths: RowWidths, folder: string): Promise<DiskWriter> {
    const file = (name: string) => RowFile.create(join(folder, `${name}.rows`), widths);
    return new DiskWriter(await file("training"), await file("validation"));
  }

  async add(features: RowElements, targets: RowElements, parts: Uint8Array): Promise<void> {
    // Bits are kept as they are, whatever numbers they stand for.
    const [featureBits, targetBits] = [bitsOf(features), bitsOf(targets)];
    await this.#training.add(featureBits, targetBits, rowsFor(parts, [0]));
    await this.#validation.add(featureBits, targetBits, rowsFor(parts, [1]));
  }

  async finished(): Promise<WrittenRows> {
    return { training: await this.#training.finished(), validation: await this.#validation.finished() };
  }

  async close(): Promise<void> {
    await this.#training.close();
    await this.#validation.close();
  }
}

/** Bytes that are written at once; a row may be larger. */
const writtenBytes = 4 * 1024 ** 2;

class RowFile {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #widths: RowWidths;
  /** Rows that are not in the file yet. */
  readonly #waiting: Int32Array;
  #waitingLength = 0;
  #rowCount = 0;

  private constructor(path: string, file: FileHandle, widths: RowWidths) {
    [this.#path, this.#file, this.#widths] = [path, file, widths];
    const stride = widths.featureCount + widths.targetCount;
    const rows = Math.max(1, Math.floor(writtenBytes / (stride * Int32Array.BYTES_PER_ELEMENT)));
    this.#waiting = new Int32Array(rows * stride);
  }

  static async create(path: string, widths: RowWidths): Promise<RowFile> {
    return new RowFile(path, await open(path, "w"), widths);
  }

  async add(features: Int32Array, targets: Int32Array, rows: Int32Array): Promise<void> {
    const { featureCount, targetCount } = this.#widths;
    const waiting = this.#waiting;
    for (const row of rows) {
      let at = this.#waitingLength;
      for (let index = row * featureCount; index < (row + 1) * featureCount; index++) waiting[at++] = features[index]!;
      for (let index = row * targetCount; index < (row + 1) * targetCount; index++) waiting[at++] = targets[index]!;
      this.#waitingLength = at;
      this.#rowCount++;
      if (at === waiting.length) await this.#write();
    }
  }

  async finished(): Promise<DiskStorage> {
    await this.#write();
    const { featureCount, targetCount } = this.#widths;
    return { kind: "disk", path: this.#path, rowCount: this.#rowCount, featureCount, targetCount };
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #write(): Promise<void> {
    const { buffer, byteOffset } = this.#waiting;
    const bytes = new Uint8Array(buffer, byteOffset, this.#waitingLength * Int32Array.BYTES_PER_ELEMENT);
    this.#waitingLength = 0;
    try {
      await this.#file.writeFile(bytes);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "ENOSPC") throw cause;
      const needed = "room in the data folder, or a job that may take more memory";
      throw new ServiceError(
        "DISK_FULL",
        `the disk is full at row ${this.#rowCount} of those kept; needed: ${needed}`,
        { cause },
      );
    }
  }
}

function bitsOf({ buffer, byteOffset, length }: RowElements): Int32Array {
  return new Int32Array(buffer, byteOffset, length);
}
