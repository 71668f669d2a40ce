import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { counted, datasetError } from "./dataset-error.ts";
import type { DatasetFile, Tokenizer } from "./file-format.ts";
import { rowsPerBatch, type TensorBatch, type Tensors } from "./tensors.ts";
import { writeTokens } from "./text-tokens.ts";

/**
 * Plain text as tokens: windows of `context` + 1, end to end; what is left at the end is left out. The tokens are the text's bytes, or those
 * of a byte-pair encoding, which are kept in a file of the job's folder. Throws DATASET_INVALID for less than one window.
 */
export async function openText(file: DatasetFile, tokenizer: Tokenizer): Promise<Tensors> {
  const { path, folder, context = 0 } = file;
  const isBytes = tokenizer === "bytes";
  const tokens = isBytes ? path : join(folder, "tokens");
  if (!isBytes) await writeTokens(path, tokens, tokenizer);
  const tokenBytes = isBytes ? 1 : 4;
  const tokenCount = Math.floor((await stat(tokens)).size / tokenBytes);
  const width = context + 1;
  const rowCount = Math.floor(tokenCount / width);
  if (rowCount === 0) throw datasetError(`the text has ${counted(tokenCount, "token")}; needed: at least ${width}`);
  return {
    kind: "tensors",
    rowCount,
    featureShape: [context],
    featureType: "INT32",
    targetShape: [context],
    targetType: "INT32",
    classNames: undefined,
    placeOf: (row) => `token ${row * width + 1}`,
    close: () => {},
    batches: () => windows(tokens, tokenBytes, rowCount, context),
  };
}

async function* windows(
  path: string,
  tokenBytes: 1 | 4,
  rowCount: number,
  context: number,
): AsyncGenerator<TensorBatch> {
  const width = context + 1;
  const rowsMax = rowsPerBatch(width);
  const file = await open(path, "r");
  try {
    for (let first = 0; first < rowCount; first += rowsMax) {
      const count = Math.min(rowsMax, rowCount - first);
      const bytes = new Uint8Array(count * width * tokenBytes);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, first * width * tokenBytes);
      if (bytesRead < bytes.length) throw datasetError("the file has become shorter while it is read");
      yield split(tokenBytes === 1 ? bytes : new Int32Array(bytes.buffer), count, context);
    }
  } finally {
    await file.close();
  }
}

/** The first tokens of each window go in; the targets are the same one place further. */
function split(tokens: Uint8Array | Int32Array, rowCount: number, context: number): TensorBatch {
  const features = new Int32Array(rowCount * context);
  const targets = new Int32Array(rowCount * context);
  for (let row = 0; row < rowCount; row++) {
    const begin = row * (context + 1);
    features.set(tokens.subarray(begin, begin + context), row * context);
    targets.set(tokens.subarray(begin + 1, begin + 1 + context), row * context);
  }
  return { rowCount, features, targets };
}
