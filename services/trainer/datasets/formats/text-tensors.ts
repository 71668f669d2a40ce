import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { counted, datasetError } from "./dataset-error.ts";
import type { DatasetFile, Tokenizer } from "./file-format.ts";
import { rowsPerBatch, type TensorBatch, type Tensors } from "./tensors.ts";
import { writeTokens } from "./text-tokens.ts";

/**
 * Plain text as tokens: windows of `context` + 1, end to end; what is left at the end is left out. Without a context each row is a token.
 * The tokens are the text's bytes, or those of a byte-pair encoding, which are kept in a file of the job's folder. Throws DATASET_INVALID
 * for less than one window.
 */
export async function openText(file: DatasetFile, tokenizer: Tokenizer): Promise<Tensors> {
  const { path, folder, context } = file;
  const isBytes = tokenizer === "bytes";
  const tokens = isBytes ? path : join(folder, "tokens");
  if (!isBytes) await writeTokens(path, tokens, tokenizer);
  const tokenBytes = isBytes ? 1 : 4;
  const tokenCount = Math.floor((await stat(tokens)).size / tokenBytes);
  const width = context === undefined ? 1 : context + 1;
  const rowCount = Math.floor(tokenCount / width);
  if (rowCount === 0) throw datasetError(`the text has ${counted(tokenCount, "token")}; needed: at least ${width}`);
  return {
    kind: "tensors",
    rowCount,
    featureShape: [context ?? 1],
    featureType: "INT32",
    targetShape: context === undefined ? undefined : [context],
    targetType: "INT32",
    classNames: undefined,
    placeOf: (row) => `token ${row * width + 1}`,
    close: () => {},
    batches: () => windows(tokens, tokenBytes, rowCount, width),
  };
}

async function* windows(path: string, tokenBytes: 1 | 4, rowCount: number, width: number): AsyncGenerator<TensorBatch> {
  const rowsMax = rowsPerBatch(width);
  const file = await open(path, "r");
  try {
    for (let first = 0; first < rowCount; first += rowsMax) {
      const count = Math.min(rowsMax, rowCount - first);
      const bytes = new Uint8Array(count * width * tokenBytes);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, first * width * tokenBytes);
      if (bytesRead < bytes.length) throw datasetError("the file has become shorter while it is read");
      yield split(tokenBytes === 1 ? bytes : new Int32Array(bytes.buffer), count, width);
    }
  } finally {
    await file.close();
  }
}

/** The first tokens of each window go in; the targets are the same one place further. */
function split(tokens: Uint8Array | Int32Array, rowCount: number, width: number): TensorBatch {
  const context = width - 1;
  if (context === 0) return { rowCount, features: Int32Array.from(tokens), targets: new Int32Array() };
  const features = new Int32Array(rowCount * context);
  const targets = new Int32Array(rowCount * context);
  for (let row = 0; row < rowCount; row++) {
    const begin = row * width;
    features.set(tokens.subarray(begin, begin + context), row * context);
    targets.set(tokens.subarray(begin + 1, begin + width), row * context);
  }
  return { rowCount, features, targets };
}
