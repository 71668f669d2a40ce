import { elementCount, type Tensor } from "../../../lib/tensor.ts";
import { numberReader } from "../../../lib/tensor-numbers.ts";
import { chunkPieces } from "../datasets/columns/chunk-pieces.ts";
import type { ColumnChunk, ColumnSource } from "../datasets/columns/column-source.ts";
import type { UsedColumns } from "../datasets/columns/used-columns.ts";
import { datasetError } from "../datasets/formats/dataset-error.ts";
import type { Loss } from "../graph/losses/loss.ts";
import { specError } from "../graph/spec-error.ts";
import { counterOf } from "../metrics/counter-of.ts";
import type { ClassForm, MetricCounter, MetricValues } from "../metrics/metric-counter.ts";
import type { Answering } from "./answering.ts";
import { inputPlan } from "./input-plan.ts";
import { RowInputs } from "./row-inputs.ts";
import { RowTargets, type TargetUse } from "./row-targets.ts";

/** Rows of a file that a served model is measured on. */
export interface MeasuredRows {
  readonly source: ColumnSource;
  readonly used: Pick<UsedColumns, "features" | "targets">;
  /** Whether a row of the file counts. */
  readonly counts: (row: number) => boolean;
  readonly loss: Loss;
  /** Rows that the model is given at once, at most. */
  readonly rowsPerCall: number;
}

/** What a model comes to, and on how many rows. */
export interface RowsMeasurement {
  readonly values: MetricValues;
  readonly rowCount: number;
}

/**
 * Measures a served model on rows of a file: raw values in, its first output of numbers against the targets. `formOf` says in what form an
 * output tells classes. Throws SPEC_INVALID where model and loss do not go together, and DATASET_INVALID where the rows do not fit them.
 */
export async function measureRows(
  rows: MeasuredRows,
  model: Answering,
  formOf: (output: string) => ClassForm,
): Promise<RowsMeasurement> {
  const measuring = new Measuring(rows, model, formOf);
  let first = 0;
  const names = [...rows.used.features, ...rows.used.targets].map(({ name }) => name);
  for await (const chunk of rows.source.read(names)) {
    const selected = selectedRows(chunk, measuring.widths, first, rows.counts);
    let done = 0;
    for (const piece of chunkPieces(selected.chunk, measuring.widths, measuring.rowsPerCall)) {
      const from = done;
      await measuring.add(piece, (row) => selected.rows[from + row]!);
      done += piece.rowCount;
    }
    first += chunk.rowCount;
  }
  return measuring.result;
}

class Measuring {
  readonly widths: readonly number[];
  readonly rowsPerCall: number;
  readonly #rows: MeasuredRows;
  readonly #model: Answering;
  readonly #formOf: (output: string) => ClassForm;
  readonly #inputs: RowInputs;
  readonly #targets: RowTargets;
  #counter: MetricCounter | undefined;
  #rowCount = 0;

  constructor(rows: MeasuredRows, model: Answering, formOf: (output: string) => ClassForm) {
    const { source, used, loss, rowsPerCall } = rows;
    // The tokens behind those that go in are the targets, where nothing else is.
    const spare = loss.kind === "next_token" && used.targets.length === 0 ? 1 : 0;
    const plan = inputPlan(model.signature.inputs, used.features, spare);
    this.#rows = rows;
    this.#model = model;
    this.#formOf = formOf;
    this.#inputs = new RowInputs(source, used.features, plan);
    this.#targets = new RowTargets(source, used.targets.length > 0 ? used.targets : used.features);
    this.rowsPerCall = Math.min(rowsPerCall, plan.rowsMax);
    this.widths = [...used.features, ...used.targets].map(({ width }) => width);
  }

  /** Adds rows; `rowOf` tells where they are in the file. */
  async add(chunk: ColumnChunk, rowOf: (row: number) => number): Promise<void> {
    if (chunk.rowCount === 0) return;
    const { loss, source, used } = this.#rows;
    const output = numbersOf(await this.#model.answer(await this.#inputs.tensors(chunk, rowOf)), chunk.rowCount);
    const [, ...outputShape] = output.shape;
    const use = this.#useOf(output, outputShape);
    const isNext = used.targets.length === 0;
    const values = isNext ? chunk.values : chunk.values.slice(used.features.length);
    const read = await this.#targets.elements({ rowCount: chunk.rowCount, values }, use, rowOf);
    const targets = isNext ? withoutFirst(read, this.#targets.width) : read;
    const needed = elementCount(use.kind === "classes" ? outputShape.slice(0, -1) : outputShape);
    if (targets.length !== chunk.rowCount * needed) {
      const seen = targets.length / chunk.rowCount;
      throw datasetError(
        `a row has ${seen} targets; needed: ${needed}, for the model's output ${output.name} of [${outputShape}]`,
      );
    }
    const elements = output.elements;
    const unknown = elements.findIndex((element) => Number.isNaN(element));
    if (unknown >= 0) {
      const place = await source.placeOf(rowOf(Math.floor(unknown / elementCount(outputShape))));
      throw datasetError(
        `the model gives no number for ${place}; needed: values that it can take, such as none that is missing`,
      );
    }
    this.#counter ??= counterOf(loss, outputShape, this.#formOf(output.name));
    this.#counter.add(elements, targets);
    this.#rowCount += chunk.rowCount;
  }

  get result(): RowsMeasurement {
    if (this.#counter === undefined) throw datasetError("no row of the file counts; needed: at least 1");
    return { values: this.#counter.measured().values, rowCount: this.#rowCount };
  }

  #useOf({ name }: NumberOutput, outputShape: readonly number[]): TargetUse {
    const { kind } = this.#rows.loss;
    if (kind !== "cross_entropy" && kind !== "next_token") return { kind: "numbers" };
    const classCount = outputShape.at(-1) ?? 1;
    if (classCount < 2)
      throw specError("loss", kind, `one of numbers, for the model's output ${name} of [${outputShape}]`);
    const { labels } = this.#model.signature.outputs.find((spec) => spec.name === name) ?? {};
    return { kind: "classes", classCount, labels: labels?.length === classCount ? labels : undefined };
  }
}

/** Rows of a chunk that count, and where they are in the file. */
function selectedRows(
  chunk: ColumnChunk,
  widths: readonly number[],
  first: number,
  counts: (row: number) => boolean,
): { readonly chunk: ColumnChunk; readonly rows: readonly number[] } {
  const rows: number[] = [];
  for (let row = 0; row < chunk.rowCount; row++) if (counts(first + row)) rows.push(first + row);
  if (rows.length === chunk.rowCount) return { chunk, rows };
  const values = chunk.values.map((column, index) => {
    const width = widths[index]!;
    const at = (element: number) => (rows[Math.floor(element / width)]! - first) * width + (element % width);
    const length = rows.length * width;
    if (!ArrayBuffer.isView(column)) return Array.from({ length }, (_, element) => column[at(element)]);
    const kept = new (column.constructor as Float64ArrayConstructor)(length);
    for (let element = 0; element < length; element++) kept[element] = column[at(element)]!;
    return kept;
  });
  return { chunk: { rowCount: rows.length, values }, rows };
}

function withoutFirst(elements: Float32Array | Int32Array, width: number): Float32Array | Int32Array {
  return elements.filter((_: number, index: number) => index % width > 0);
}

interface NumberOutput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elements: Float32Array;
}

const numberTypes: ReadonlySet<string> = new Set(["FP32", "FP64", "FP16", "BF16"]);

/** The first output whose elements are no whole numbers. */
function numbersOf(outputs: readonly Tensor[], rowCount: number): NumberOutput {
  const output = outputs.find(({ dataType }) => numberTypes.has(dataType));
  if (output === undefined)
    throw specError("the model", "one whose outputs have no numbers", "an output of FP32, FP64, FP16 or BF16");
  const { name, dataType, shape, bytes } = output;
  if (shape[0] !== rowCount) {
    throw specError("the model", `one that gives ${name} of [${shape}] for ${rowCount} rows`, "an answer for each row");
  }
  if (dataType === "FP32") return { name, shape, elements: new Float32Array(bytes.slice().buffer) };
  const read = numberReader(dataType, bytes);
  return {
    name,
    shape,
    elements: Float32Array.from({ length: elementCount(shape) }, (_, index) => Number(read(index))),
  };
}
