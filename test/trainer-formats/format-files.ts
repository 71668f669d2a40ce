import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatasetFile, FileFormat } from "../../services/trainer/datasets/formats/file-format.ts";
import { openDataset } from "../../services/trainer/datasets/formats/open-dataset.ts";
import type { Relation } from "../../services/trainer/datasets/formats/relation.ts";
import type { Tensors } from "../../services/trainer/datasets/formats/tensors.ts";

type Changes = Partial<Omit<DatasetFile, "path" | "format">>;

/** Files in a folder of their own, opened as datasets and closed again. */
export class FormatFiles {
  folder = "";
  #count = 0;
  readonly #opened: { close(): void }[] = [];

  async start(): Promise<void> {
    this.folder = await mkdtemp(join(tmpdir(), "amaas-formats-"));
  }

  async remove(): Promise<void> {
    for (const dataset of this.#opened.splice(0)) dataset.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  async written(content: string | Uint8Array): Promise<string> {
    const path = join(this.folder, `file${this.#count++}`);
    await writeFile(path, content);
    return path;
  }

  async opened(path: string, format: FileFormat | undefined, changes: Changes = {}): Promise<Relation | Tensors> {
    const folder = join(this.folder, `job${this.#count++}`);
    await mkdir(folder);
    const bounds = { memoryBytesMax: 2 ** 29, expandedBytesMax: 2 ** 28, threadCount: 1 };
    const dataset = await openDataset({ path, format, folder, ...bounds, ...changes });
    this.#opened.push(dataset);
    return dataset;
  }

  async relation(content: string | Uint8Array, format: FileFormat | undefined, changes?: Changes): Promise<Relation> {
    return (await this.opened(await this.written(content), format, changes)) as Relation;
  }

  async tensors(content: string | Uint8Array, format: FileFormat | undefined, changes?: Changes): Promise<Tensors> {
    return (await this.opened(await this.written(content), format, changes)) as Tensors;
  }

  /** Reason and message of why a file is refused. */
  async refusal(content: string | Uint8Array, format: FileFormat | undefined, changes?: Changes): Promise<string> {
    try {
      const dataset = await this.opened(await this.written(content), format, changes);
      if (dataset.kind === "tensors") for await (const _ of dataset.batches());
      return "accepted";
    } catch (failure) {
      const { reason, message } = failure as { reason: string; message: string };
      return `${reason}: ${message}`;
    }
  }
}

/** All rows of a relation, in order, without their numbers. */
export async function rowsOf({ connection }: Relation) {
  return (await connection.runAndReadAll("SELECT * EXCLUDE row FROM rows")).getRowsJson();
}

/** All rows of tensors. */
export async function tensorRows(tensors: Tensors) {
  const rows: { readonly features: number[]; readonly targets: number[] }[] = [];
  for await (const { rowCount, features, targets } of tensors.batches()) {
    const [width, targetWidth] = [features.length / rowCount, targets.length / rowCount];
    for (let row = 0; row < rowCount; row++) {
      rows.push({
        features: [...features.slice(row * width, (row + 1) * width)],
        targets: [...targets.slice(row * targetWidth, (row + 1) * targetWidth)],
      });
    }
  }
  return rows;
}
