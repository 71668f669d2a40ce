import { archiveFiles, archiveKind } from "./archive.ts";
import { datasetError } from "./dataset-error.ts";
import type { DatasetFile, FileFormat } from "./file-format.ts";
import { firstBytes } from "./first-bytes.ts";

/**
 * The format that a file's first bytes tell: Parquet and NumPy by their magic bytes, NDJSON by its first brace, and CSV without a header
 * otherwise. Throws DATASET_INVALID for an archive of anything but arrays, because nothing says whether images are grey.
 */
export async function detectedFormat({ path, expandedBytesMax }: DatasetFile): Promise<FileFormat> {
  const numpy = { kind: "numpy", features: "x", targets: "y" } as const;
  if ((await archiveKind(path)) !== undefined) {
    for await (const { name } of archiveFiles(path, { expandedBytesMax })) {
      if (name.endsWith(".npy")) return numpy;
      break;
    }
    throw datasetError("the file is an archive; needed: data.images");
  }
  const begin = await firstBytes(path);
  if (begin.startsWith("PAR1")) return { kind: "parquet" };
  if (begin.startsWith("\x93NUMPY")) return numpy;
  if (/^[ \t\r\n]*\{/.test(begin)) return { kind: "ndjson" };
  return { kind: "csv", header: false, delimiter: ",", missingText: "" };
}
