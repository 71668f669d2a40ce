import type { TensorBatch, Tensors } from "../formats/tensors.ts";
import { type ColumnFacts, countedMax, type DatasetFacts, mostFrequentMax, shown } from "./dataset-facts.ts";

/** What a file of tensors has, as one column of features and perhaps one of targets. Reads all of it once. */
export async function tensorFacts(tensors: Tensors, previewRows: number): Promise<Omit<DatasetFacts, "format">> {
  const { rowCount, featureShape, featureType, targetShape, targetType, classNames } = tensors;
  const features = new Elements("features", `${featureType}[${featureShape.join(", ")}]`);
  const targets = targetShape && new Elements("targets", `${targetType}[${targetShape.join(", ")}]`, classNames);
  const columns = targets === undefined ? [features] : [features, targets];
  const preview: { values: string[] }[] = [];
  for await (const batch of tensors.batches()) {
    for (let row = 0; row < batch.rowCount && preview.length < previewRows; row++) {
      preview.push({ values: columns.map((column) => column.rowOf(batch, row)) });
    }
    for (const column of columns) column.add(batch);
  }
  return { rowCount, columns: columns.map((column) => column.facts), preview };
}

/** All elements of one side, whatever row they belong to. */
class Elements {
  readonly #name: "features" | "targets";
  readonly #type: string;
  readonly #classNames: readonly string[] | undefined;
  readonly #counts = new Map<number, number>();
  #count = 0;
  #mean = 0;
  #squares = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  constructor(name: "features" | "targets", type: string, classNames?: readonly string[]) {
    this.#name = name;
    this.#type = type;
    this.#classNames = classNames;
  }

  /** Mean and deviation as Welford (1962) has them. */
  add(batch: TensorBatch): void {
    const values = batch[this.#name];
    for (const value of values) {
      const before = value - this.#mean;
      this.#mean += before / ++this.#count;
      this.#squares += before * (value - this.#mean);
      if (value < this.#min) this.#min = value;
      if (value > this.#max) this.#max = value;
      const count = this.#counts.get(value);
      if (count !== undefined || this.#counts.size <= countedMax) this.#counts.set(value, (count ?? 0) + 1);
    }
  }

  rowOf(batch: TensorBatch, row: number): string {
    const values = batch[this.#name];
    const width = values.length / batch.rowCount;
    const first = values.subarray(row * width, row * width + Math.min(width, elementsShown));
    return shown(`${Array.from(first, (value) => this.#text(value)).join(", ")}${width > elementsShown ? ", …" : ""}`);
  }

  get facts(): ColumnFacts {
    const isCounted = this.#counts.size <= countedMax;
    const sorted = isCounted ? [...this.#counts].sort(([a, left], [b, right]) => right - left || a - b) : [];
    return {
      name: this.#name,
      type: this.#type,
      missingCount: 0,
      distinctCount: this.#counts.size,
      min: this.#min,
      max: this.#max,
      mean: this.#mean,
      deviation: Math.sqrt(this.#squares / this.#count),
      mostFrequent: sorted.slice(0, mostFrequentMax).map(([value, count]) => ({ value: this.#text(value), count })),
    };
  }

  #text(value: number): string {
    return this.#classNames?.[value] ?? String(value);
  }
}

/** Elements of a row in a preview. */
const elementsShown = 32;
