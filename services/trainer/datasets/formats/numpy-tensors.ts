import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { product } from "../../../../lib/onnx/shapes.ts";
import { archivedBytes, archiveFiles, archiveKind } from "./archive.ts";
import { ByteReader } from "./byte-reader.ts";
import { counted, datasetError } from "./dataset-error.ts";
import type { DatasetFile, NumpyFormat } from "./file-format.ts";
import { type NpyHeader, npyNumbers, readNpyHeader } from "./npy-array.ts";
import { rowsPerBatch, type TensorBatch, type Tensors } from "./tensors.ts";

/** An array in a file. */
interface NpyArray {
  /** What messages call it. */
  readonly name: string;
  readonly header: NpyHeader;
  open(): AsyncIterable<Uint8Array>;
}

/**
 * NumPy arrays: one .npy with a matrix, whose last columns are targets, or an .npz with an array of features and perhaps one of targets.
 * Whole numbers become INT32 and others FP32.
 */
export async function openNumpy(file: DatasetFile, format: NumpyFormat): Promise<Tensors> {
  return (await archiveKind(file.path)) === "zip" ? openArrays(file, format) : openMatrix(file);
}

/** A .npy: a matrix whose last columns are targets, or an array of more axes without any. */
async function openMatrix({ path, targetCount = 0 }: DatasetFile): Promise<Tensors> {
  const matrix = await arrayOf("the array", (await stat(path)).size, () => createReadStream(path));
  const [rowCount, width = 0, ...more] = matrix.header.shape;
  if (matrix.header.shape.length < 2 || (more.length > 0 && targetCount > 0)) {
    throw datasetError(`the array has the shape [${matrix.header.shape.join(", ")}]; needed: rows and columns`);
  }
  if (width <= targetCount) {
    const needed = `at least ${targetCount + 1}, one feature and ${counted(targetCount, "target")}`;
    throw datasetError(`the file has ${counted(width, "column")}; needed: ${needed}`);
  }
  return {
    ...describe(matrix, targetCount === 0 ? undefined : matrix),
    rowCount,
    featureShape: [width - targetCount, ...more],
    targetShape: targetCount === 0 ? undefined : [targetCount],
    async *batches() {
      for await (const rows of rowsOf(matrix, rowsAtOnce(matrix))) yield split(rows, targetCount);
    },
  };
}

/** An .npz: an array of features, and one of targets with as many rows if it has it. */
async function openArrays({ path, expandedBytesMax }: DatasetFile, format: NumpyFormat): Promise<Tensors> {
  const sizes = new Map<string, number>();
  for await (const { name, bytes } of archiveFiles(path, { expandedBytesMax })) sizes.set(name, bytes);
  const array = (name: string) =>
    arrayOf(`the array ${name}`, sizes.get(`${name}.npy`)!, () =>
      archivedBytes(path, `${name}.npy`, { expandedBytesMax }),
    );
  if (!sizes.has(`${format.features}.npy`)) {
    const seen = [...sizes.keys()].slice(0, 16).map((name) => name.replace(/\.npy$/, ""));
    throw datasetError(`the file has the arrays ${seen.join(", ")}; needed: one that is called ${format.features}`);
  }
  const features = await array(format.features);
  const targets = sizes.has(`${format.targets}.npy`) ? await array(format.targets) : undefined;
  const [rowCount, ...featureShape] = features.header.shape;
  const [targetRows = 0, ...targetShape] = targets?.header.shape ?? [];
  if (targets !== undefined && targetRows !== rowCount) {
    throw datasetError(
      `${targets.name} has ${counted(targetRows, "row")}; needed: ${rowCount}, as ${features.name} has`,
    );
  }
  return {
    ...describe(features, targets),
    rowCount,
    featureShape,
    targetShape: targets && targetShape,
    async *batches() {
      const rowsMax = rowsAtOnce(features, targets);
      const targetRows = targets && rowsOf(targets, rowsMax);
      try {
        for await (const { rowCount, numbers } of rowsOf(features, rowsMax)) {
          const next = await targetRows?.next();
          yield { rowCount, features: numbers, targets: next?.value?.numbers ?? new Float32Array() };
        }
      } finally {
        await targetRows?.return(undefined);
      }
    },
  };
}

/** Reads the header; throws DATASET_INVALID for an array without rows, and for one whose file is shorter or longer than it says. */
async function arrayOf(name: string, bytes: number, open: NpyArray["open"]): Promise<NpyArray> {
  const reader = new ByteReader(open(), name);
  const header = await readNpyHeader(reader, name).finally(() => reader.close());
  const needed = header.bytes + product(header.shape) * header.element.bytes;
  if (bytes !== needed)
    throw datasetError(`${name} has ${bytes} bytes; needed: ${needed}, for its shape [${header.shape.join(", ")}]`);
  const rowBytes = product(header.shape.slice(1)) * header.element.bytes;
  if (rowBytes > rowBytesMax)
    throw datasetError(`a row of ${name} has ${rowBytes} bytes; needed: at most ${rowBytesMax}`);
  if (product(header.shape) === 0)
    throw datasetError(`${name} has the shape [${header.shape.join(", ")}]; needed: at least one row`);
  return { name, header, open };
}

/** A batch is at least one row, and in memory. */
const rowBytesMax = 256 * 1024 ** 2;

/** Rows of a matrix whose last columns are targets. */
function split({ rowCount, numbers }: Rows, targetCount: number): TensorBatch {
  const width = numbers.length / rowCount;
  const ArrayType = numbers instanceof Int32Array ? Int32Array : Float32Array;
  const features = new ArrayType(rowCount * (width - targetCount));
  const targets = new ArrayType(rowCount * targetCount);
  for (let row = 0; row < rowCount; row++) {
    const [begin, end] = [row * width, (row + 1) * width];
    features.set(numbers.subarray(begin, end - targetCount), row * (width - targetCount));
    targets.set(numbers.subarray(end - targetCount, end), row * targetCount);
  }
  return { rowCount, features, targets };
}

/** What the elements are, and where rows are. */
function describe(features: NpyArray, targets: NpyArray | undefined) {
  const typeOf = ({ header }: NpyArray) => (header.element.isWhole ? "INT32" : "FP32");
  return {
    kind: "tensors",
    featureType: typeOf(features),
    targetType: typeOf(targets ?? features),
    classNames: undefined,
    placeOf: (row: number) => `row ${row + 1}`,
    close: () => {},
  } as const;
}

/** Consecutive rows of an array. */
interface Rows {
  readonly rowCount: number;
  readonly numbers: Float32Array | Int32Array;
}

/** Rows that are read at once. */
function rowsAtOnce(...arrays: readonly (NpyArray | undefined)[]): number {
  return rowsPerBatch(arrays.reduce((all, array) => all + product(array?.header.shape.slice(1) ?? [0]), 0));
}

/** All rows of an array, in turn. */
async function* rowsOf({ name, header, open }: NpyArray, rowsMax: number): AsyncGenerator<Rows, undefined> {
  const reader = new ByteReader(open(), name);
  const [rowCount, ...rowShape] = header.shape;
  const rowBytes = product(rowShape) * header.element.bytes;
  try {
    await reader.read(header.bytes);
    for (let first = 0; first < rowCount; first += rowsMax) {
      const count = Math.min(rowsMax, rowCount - first);
      const bytes = await reader.read(count * rowBytes);
      if (first + count === rowCount) await reader.end();
      yield { rowCount: count, numbers: npyNumbers(bytes, header, first) };
    }
  } finally {
    await reader.close();
  }
}
