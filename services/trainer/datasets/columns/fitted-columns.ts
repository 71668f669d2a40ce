import { datasetError } from "../formats/dataset-error.ts";
import { ascending, type ColumnFacts, Counts, Median, Moments, tooManyCategories } from "./column-facts.ts";
import type { ColumnSource, ColumnValues } from "./column-source.ts";
import { distinctMax, type Missing } from "./data-plan.ts";
import { isMissing } from "./missing.ts";
import type { Categories, Encoder, FittedColumn } from "./preprocessing.ts";
import { part, type RowParts } from "./row-parts.ts";
import type { UsedColumn } from "./used-column.ts";

/**
 * Columns with what has to be known of their training rows, which are read once, in the order of the file, where something has. Missing
 * values count for nothing. Throws DATASET_INVALID for a column with nothing but missing ones, and for too many categories.
 */
export async function fittedColumns(
  source: ColumnSource,
  columns: readonly UsedColumn[],
  { of }: RowParts,
): Promise<readonly FittedColumn[]> {
  const fits = columns.map((column) => new ColumnFit(column));
  const open = fits.filter(({ facts }) => facts.length > 0);
  let first = 0;
  for await (const { rowCount, values } of open.length === 0 ? [] : source.read(open.map(({ name }) => name))) {
    const parts = of.subarray(first, first + rowCount);
    for (const [index, fit] of open.entries()) fit.add(values[index]!, parts);
    first += rowCount;
  }
  return fits.map((fit) => fit.finished());
}

/** One column, and what is gathered of it. */
class ColumnFit {
  readonly name: string;
  readonly width: number;
  readonly facts: readonly ColumnFacts[];
  readonly #column: UsedColumn;
  /** Whether there was any value. */
  #seen = false;
  readonly #moments: Moments | undefined;
  readonly #median: Median | undefined;
  readonly #categories: Counts | undefined;
  readonly #frequent: Counts | undefined;

  constructor(column: UsedColumn) {
    const { name, width, encoding, missing, categories } = column;
    [this.#column, this.name, this.width] = [column, name, width];
    const isScaled = encoding.kind === "standard" || encoding.kind === "min_max";
    if (isScaled || missing?.kind === "mean") this.#moments = new Moments(width);
    if (missing?.kind === "median") this.#median = new Median();
    if ((encoding.kind === "one_hot" || encoding.kind === "index") && categories === undefined) {
      const [countMax, field] =
        encoding.kind === "one_hot"
          ? [encoding.categoriesMax, "one_hot.categories_max"]
          : [distinctMax, "for an index"];
      this.#categories = new Counts(countMax, () => tooManyCategories(name, countMax, field));
    }
    if (missing?.kind === "most_frequent") {
      const refuse = () => tooManyCategories(name, distinctMax, "to find the most frequent");
      this.#frequent = this.#categories ?? new Counts(distinctMax, refuse);
    }
    const all = [this.#moments, this.#median, this.#categories, this.#frequent];
    this.facts = [...new Set(all.filter((facts) => facts !== undefined))];
  }

  /** The training rows of a chunk. */
  add(values: ColumnValues, parts: Uint8Array): void {
    const { width, facts } = this;
    for (let row = 0; row < parts.length; row++) {
      if (parts[row] !== part.training || isMissing(values, row, width)) continue;
      this.#seen = true;
      for (const each of facts) each.add(values, row);
    }
  }

  finished(): FittedColumn {
    const { name, kind, width, missing } = this.#column;
    if (this.facts.length > 0 && !this.#seen) {
      throw datasetError(`the column ${JSON.stringify(name)} has no value in the training rows; needed: at least 1`);
    }
    const fill = missing === undefined ? undefined : this.#fill(missing);
    return { name, kind: kind === "text" ? "text" : "number", width, fill, encoder: this.#encoder(fill) };
  }

  #fill(missing: Missing): FittedColumn["fill"] {
    switch (missing.kind) {
      case "drop_row":
        return undefined;
      case "mean":
        return Math.fround(this.#moments!.mean[0]!);
      case "median":
        return Math.fround(this.#median!.value);
      case "most_frequent":
        return this.#frequent!.mostFrequent;
      case "constant":
        return this.#column.kind === "text" ? missing.value : Math.fround(Number(missing.value));
    }
  }

  #encoder(fill: FittedColumn["fill"]): Encoder {
    const { encoding, width } = this.#column;
    switch (encoding.kind) {
      case "number":
        return { kind: "affine", offset: new Float32Array(width), scale: new Float32Array(width).fill(1) };
      case "standard": {
        const { mean, deviation } = this.#moments!;
        return { kind: "affine", offset: Float32Array.from(mean), scale: notZero(deviation) };
      }
      case "min_max": {
        const { min, max } = this.#moments!;
        const range = max.map((value, index) => value - min[index]!);
        return { kind: "affine", offset: Float32Array.from(min), scale: notZero(range) };
      }
      case "index":
        return { kind: "index", categories: this.#allCategories(fill) };
      case "one_hot":
        return { kind: "one_hot", categories: this.#allCategories(fill), ignoreUnknown: encoding.ignoreUnknown };
    }
  }

  /** Those of the training rows, and the one that takes the place of a missing value. */
  #allCategories(fill: FittedColumn["fill"]): Categories {
    const values = new Set(this.#column.categories ?? this.#categories!.values);
    if (fill !== undefined && !values.has(fill)) return [...values, fill].sort(ascending) as unknown as Categories;
    return [...values] as unknown as Categories;
  }
}

/** What is always the same is not scaled. */
function notZero(scale: Float64Array): Float32Array {
  return Float32Array.from(scale, (value) => (Math.fround(value) === 0 ? 1 : value));
}
