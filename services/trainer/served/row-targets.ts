import type { ColumnChunk, ColumnSource, SourceColumn } from "../datasets/columns/column-source.ts";
import { datasetError } from "../datasets/formats/dataset-error.ts";

/** What the targets of rows are for a loss. */
export type TargetUse =
  /** Class indices; texts are the labels of the model's output, in its order. */
  | { readonly kind: "classes"; readonly classCount: number; readonly labels: readonly string[] | undefined }
  | { readonly kind: "numbers" };

/** The targets of rows of a file. */
export class RowTargets {
  readonly #source: ColumnSource;
  readonly #columns: readonly SourceColumn[];

  constructor(source: ColumnSource, columns: readonly SourceColumn[]) {
    this.#source = source;
    this.#columns = columns;
  }

  /** Elements of a row. */
  get width(): number {
    return this.#columns.reduce((sum, { width }) => sum + width, 0);
  }

  /** Those of some rows, row after row; `values` are those of the target columns. DATASET_INVALID for one that is none, with its place. */
  async elements(
    { rowCount, values }: ColumnChunk,
    use: TargetUse,
    rowOf: (row: number) => number,
  ): Promise<Float32Array | Int32Array> {
    const { width } = this;
    const elements = new { classes: Int32Array, numbers: Float32Array }[use.kind](rowCount * width);
    let at = 0;
    for (const [column, source] of this.#columns.entries()) {
      const numberOf = numbersOf(use, source);
      for (let row = 0; row < rowCount; row++) {
        for (let index = 0; index < source.width; index++) {
          const value = values[column]![row * source.width + index]!;
          const number = numberOf(value);
          if (number === undefined) throw await this.#refusal(rowOf(row), source.name, value, use);
          elements[row * width + at + index] = number;
        }
      }
      at += source.width;
    }
    return elements;
  }

  async #refusal(row: number, name: string, value: number | string, use: TargetUse): Promise<Error> {
    const place = await this.#source.placeOf(row);
    const seen = value === "" || Number.isNaN(value) ? "missing" : JSON.stringify(value);
    const needed = use.kind === "numbers" ? "a finite number" : classesOf(use, typeof value);
    const metadata = { place, column: name, value: String(value).slice(0, 64) };
    return datasetError(
      `${place}, column ${JSON.stringify(name)} is ${seen.slice(0, 64)}; needed: ${needed}`,
      metadata,
    );
  }
}

function numbersOf(use: TargetUse, { kind }: SourceColumn): (value: number | string) => number | undefined {
  if (use.kind === "numbers") return (value) => (Number.isFinite(value) ? Math.fround(value as number) : undefined);
  const { labels = [], classCount } = use;
  const indices = new Map(labels.map((label, index) => [label, index]));
  // Classes whose names are numbers are told by their names.
  const isNamed = kind === "text" || (labels.length > 0 && labels.every((label) => String(Number(label)) === label));
  if (isNamed) return (value) => indices.get(String(value));
  return (value) => (isClass(value as number, classCount) ? (value as number) : undefined);
}

function isClass(value: number, classCount: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < classCount;
}

function classesOf({ labels, classCount }: Extract<TargetUse, { kind: "classes" }>, type: string): string {
  if (type === "number") return `a class, a whole number from 0 to ${classCount - 1}`;
  if (labels === undefined) return "a number, because the model's output has no labels";
  const some = labels.slice(0, 5).map((label) => JSON.stringify(label));
  return `one of the model's labels, ${some.join(", ")}${labels.length > 5 ? ", …" : ""}`;
}
