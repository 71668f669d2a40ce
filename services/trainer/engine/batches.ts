import type { TargetForm } from "../graph/losses/loss-kind.ts";
import type { RuntimeTensor } from "./runtime.ts";
import type { TrainingData } from "./training-plan.ts";

/** Rows gathered for one call of the runtime. They lie in buffers that the next call overwrites. */
export interface GatheredRows {
  readonly features: RuntimeTensor;
  readonly targets: RuntimeTensor;
}

/** Gathers rows of a dataset, in any order, into tensors; reuses its buffers from call to call. */
export class RowGatherer {
  readonly #data: TrainingData;
  readonly #form: TargetForm;
  readonly #features: Float32Array;
  readonly #targets: Float32Array | Int32Array;
  readonly #targetSize: number;

  constructor(data: TrainingData, form: TargetForm, rowCountMax: number) {
    this.#data = data;
    this.#form = form;
    this.#targetSize = form.rowShape.reduce((product, size) => product * size, 1);
    this.#features = new Float32Array(rowCountMax * data.featureCount);
    this.#targets = new { FP32: Float32Array, INT32: Int32Array }[form.dataType](rowCountMax * this.#targetSize);
  }

  /** The given rows as `[...leading, features]` and `[...leading, ...target]`; `leading` multiplies to the row count. */
  gather(rows: Int32Array, leading: readonly number[]): GatheredRows {
    const { featureCount, features, targets } = this.#data;
    copyRows(features, featureCount, rows, this.#features);
    copyRows(targets, this.#targetSize, rows, this.#targets);
    const shape = [...leading, ...this.#form.rowShape];
    const elements = this.#targets.subarray(0, rows.length * this.#targetSize);
    return {
      features: {
        dataType: "FP32",
        shape: [...leading, featureCount],
        elements: this.#features.subarray(0, rows.length * featureCount),
      },
      targets: { dataType: this.#form.dataType, shape, elements } as RuntimeTensor,
    };
  }
}

function copyRows<T extends Float32Array | Int32Array>(from: T, width: number, rows: Int32Array, to: T): void {
  for (let index = 0; index < rows.length; index++) {
    const [source, target] = [rows[index] * width, index * width];
    if (width === 1) to[target] = from[source];
    else to.set(from.subarray(source, source + width), target);
  }
}
