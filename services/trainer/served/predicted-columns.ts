import { textsOf } from "../../../lib/byte-strings.ts";
import { type DataType, elementCount, type Tensor } from "../../../lib/tensor.ts";
import { numberReader } from "../../../lib/tensor-numbers.ts";
import type { SourceColumn, TextValues } from "../datasets/columns/column-source.ts";
import type { ColumnPlan } from "../datasets/columns/data-plan.ts";
import { datasetError } from "../datasets/formats/dataset-error.ts";
import type { OutputColumn } from "../datasets/predictions/output-column.ts";
import { specError } from "../graph/spec-error.ts";

/** Columns of a prediction, at most. */
const columnsMax = 10_000;

/** The outputs for some rows as columns: one that has several elements per row gives a column for each, "name_0", "name_1", … */
export function outputColumns(outputs: readonly Tensor[], rowCount: number): readonly OutputColumn[] {
  return outputs.flatMap(({ name, dataType, shape, bytes }) => {
    if (shape[0] !== rowCount) {
      throw specError(
        "target",
        `a version that gives ${name} of [${shape}] for ${rowCount} rows`,
        "an answer for each row",
      );
    }
    const width = elementCount(shape.slice(1));
    if (width > columnsMax)
      throw specError("target", `a version whose ${name} has ${width} elements per row`, `at most ${columnsMax}`);
    const read = readerOf(dataType, bytes);
    return Array.from({ length: width }, (_, index): OutputColumn => {
      const values = Array.from({ length: rowCount }, (_, row) => read(row * width + index));
      return { name: width === 1 ? name : `${name}_${index}`, type: types[dataType], values };
    });
  });
}

/** Columns of a file, told by texts that say their values exactly, as columns of a prediction with the types that they have in the file. */
export function copiedColumns(
  columns: readonly SourceColumn[],
  values: readonly TextValues[],
): readonly OutputColumn[] {
  return columns.map(({ name, kind, type }, index): OutputColumn => {
    const texts = values[index]!.map((value) => value ?? null);
    const isText = kind === "text" && type !== "UUID";
    return { name, type: "VARCHAR", castTo: isText ? undefined : type, values: texts };
  });
}

/**
 * Throws DATASET_INVALID for a whole number that was decimal digits and has become a rounded one; `placeOf` tells where a row of these is in the
 * file.
 */
export async function checkExact(
  columns: readonly SourceColumn[],
  values: readonly TextValues[],
  placeOf: (row: number) => string | Promise<string>,
): Promise<void> {
  for (const [index, { name, isDecimal }] of columns.entries()) {
    if (!isDecimal) continue;
    const row = values[index]!.findIndex((text) => Math.abs(Number(text)) > Number.MAX_SAFE_INTEGER);
    if (row < 0) continue;
    const place = await placeOf(row);
    const seen = `${place}, column ${JSON.stringify(name)} is about ${values[index]![row]}`;
    const needed = `at most ${Number.MAX_SAFE_INTEGER} to be copied exactly, or a text`;
    throw datasetError(`${seen}; needed: ${needed}`, { place, column: name });
  }
}

/** Throws DATASET_INVALID for columns that cannot be copied: those of tensors. */
export function checkCopied(columns: readonly SourceColumn[]): void {
  const bad = columns.find(({ width }) => width > 1);
  if (bad === undefined) return;
  throw datasetError(`the column ${JSON.stringify(bad.name)} cannot be copied; needed: one value for each row`);
}

/** What is said of columns, and that those are ignored that no model can be given (lists, structures, bytes) unless something is said of them. */
export function withOthersIgnored(
  said: readonly ColumnPlan[],
  columns: readonly Pick<SourceColumn, "name" | "kind">[],
): readonly ColumnPlan[] {
  const names = new Set(said.map(({ name }) => name));
  const others = columns.filter(({ name, kind }) => kind === "other" && !names.has(name));
  const ignored = { role: "ignored", encoding: undefined, missing: undefined } as const;
  return [...said, ...others.map(({ name }) => ({ name, ...ignored }))];
}

const types = {
  BOOL: "BOOLEAN",
  UINT8: "BIGINT",
  UINT16: "BIGINT",
  UINT32: "BIGINT",
  UINT64: "UBIGINT",
  INT8: "BIGINT",
  INT16: "BIGINT",
  INT32: "BIGINT",
  INT64: "BIGINT",
  FP16: "FLOAT",
  BF16: "FLOAT",
  FP32: "FLOAT",
  FP64: "DOUBLE",
  BYTES: "VARCHAR",
} as const satisfies Record<DataType, OutputColumn["type"]>;

function readerOf(dataType: DataType, bytes: Uint8Array): (index: number) => OutputColumn["values"][number] {
  if (dataType === "BYTES") {
    const texts = textsOf(bytes);
    return (index) => texts[index]!;
  }
  const read = numberReader(dataType, bytes);
  return dataType === "BOOL" ? (index) => read(index) !== 0n : read;
}
