import { openCsv } from "./csv-relation.ts";
import { detectedFormat } from "./detected-format.ts";
import type { DatasetFile } from "./file-format.ts";
import { openNdjson } from "./ndjson-relation.ts";
import { openNumpy } from "./numpy-tensors.ts";
import { openParquet } from "./parquet-relation.ts";
import type { Relation } from "./relation.ts";
import type { Tensors } from "./tensors.ts";
import { openText } from "./text-tensors.ts";

/**
 * Opens a file by its format. Throws DATASET_INVALID that names the place of what is wrong, OUT_OF_MEMORY where the memory does not do,
 * and DISK_FULL.
 */
export async function openDataset(file: DatasetFile): Promise<Relation | Tensors> {
  const format = file.format ?? (await detectedFormat(file));
  switch (format.kind) {
    case "csv":
      return openCsv(file, format);
    case "parquet":
      return openParquet(file);
    case "ndjson":
      return openNdjson(file);
    case "numpy":
      return openNumpy(file, format);
    case "images":
      // What decodes images takes a fifth of a second to load, which every job would wait for.
      return (await import("./images-tensors.ts")).openImages(file, format);
    case "text":
      return openText(file, format.tokenizer);
  }
}
