import { elementCount, type TensorSpec } from "../../../lib/tensor.ts";
import type { SourceColumn } from "../datasets/columns/column-source.ts";
import { noColumn } from "../datasets/columns/no-column.ts";
import { datasetError } from "../datasets/formats/dataset-error.ts";
import { specError } from "../graph/spec-error.ts";

/** What of a file's rows a served model's input is given. */
export interface PlannedInput {
  readonly name: string;
  readonly dataType: TensorSpec["dataType"];
  /** The shape of one row. */
  readonly rowShape: readonly number[];
  /** Columns, by their index among the features, whose elements follow one another in a row. */
  readonly columns: readonly number[];
  /** Elements that the columns have of a row, of which the input takes the first. */
  readonly width: number;
}

/** Inputs of a model and the rows that it may be given at once. */
export interface InputPlan {
  readonly inputs: readonly PlannedInput[];
  /** 1 where a row is all that fits. */
  readonly rowsMax: number;
}

/**
 * Which columns go into which input: an input takes the column of its name; a single one takes all of them, in their order. Inputs that a
 * request may leave out are left out. `spare` elements at the end of a row are not for the model. Throws SPEC_INVALID for a model whose
 * inputs no columns fit, and DATASET_INVALID for columns that do not.
 */
export function inputPlan(specs: readonly TensorSpec[], features: readonly SourceColumn[], spare = 0): InputPlan {
  const needed = specs.filter(({ optional }) => optional !== true);
  const names = features.map(({ name }) => name);
  const missing = needed.find(({ name }) => !names.includes(name));
  if (missing !== undefined && needed.length !== 1) throw noColumn(missing.name, names);
  const inputs = needed.map((spec) => {
    const columns = missing === undefined ? [names.indexOf(spec.name)] : [...features.keys()];
    return plannedInput(spec, columns, features, spare);
  });
  const isSingle = needed.some(({ shape }) => shape[0] === 1);
  return { inputs, rowsMax: isSingle ? 1 : Number.POSITIVE_INFINITY };
}

function plannedInput(
  { name, dataType, shape }: TensorSpec,
  columns: readonly number[],
  features: readonly SourceColumn[],
  spare: number,
): PlannedInput {
  const [rows, ...sizes] = shape;
  if (rows === undefined || (typeof rows === "number" && rows !== 1)) {
    throw specError(
      "the model",
      `one whose input ${name} has the shape [${shape}]`,
      "inputs whose first axis is free, for the rows",
    );
  }
  const width = columns.reduce((sum, index) => sum + features[index]!.width, 0);
  const rowShape = filled(name, sizes, width - spare);
  for (const index of columns) checkKind(name, dataType, features[index]!);
  return { name, dataType, rowShape, columns, width };
}

/** The shape of a row with so many elements; at most one size is free. */
function filled(name: string, sizes: readonly (number | string)[], width: number): readonly number[] {
  const known = elementCount(sizes.filter((size) => typeof size === "number"));
  const freeCount = sizes.filter((size) => typeof size === "string").length;
  if (freeCount > 1)
    throw specError("the model", `one whose input ${name} has rows of [${sizes}]`, "at most one size that is free");
  const isFitting = freeCount === 0 ? known === width : width % known === 0;
  if (!isFitting) {
    const needed = freeCount === 0 ? `${known}, for rows of [${sizes}]` : `a multiple of ${known}`;
    throw datasetError(`a row of the file has ${width} values for the model's input ${name}; needed: ${needed}`);
  }
  return sizes.map((size) => (typeof size === "number" ? size : width / known));
}

function checkKind(input: string, dataType: TensorSpec["dataType"], { name, kind }: SourceColumn): void {
  const isFitting = dataType === "BYTES" ? kind !== "other" : kind === "number" || kind === "time";
  if (isFitting) return;
  const needed = dataType === "BYTES" ? "texts or numbers" : `numbers, for the model's input ${input} of ${dataType}`;
  throw datasetError(
    `the column ${JSON.stringify(name)} holds ${kind === "text" ? "texts" : "other values"}; needed: ${needed}`,
  );
}
