import { product } from "../../../lib/onnx/shapes.ts";
import type { TargetForm } from "../graph/losses/loss-kind.ts";
import type { NetworkInput } from "../graph/network.ts";
import type { RuntimeTensor } from "./runtime.ts";
import type { TrainingData } from "./training-plan.ts";

/** What the rows of a dataset look like to a network and its loss. */
export interface RowForms {
  readonly input: NetworkInput;
  readonly targets: TargetForm;
}

/** Rows gathered for one call of the runtime. They lie in buffers that the next call overwrites. */
export interface GatheredRows {
  readonly features: RuntimeTensor;
  readonly targets: RuntimeTensor;
}

/** Gathers rows of a dataset, in any order, into tensors; reuses its buffers from call to call. */
export class RowGatherer {
  readonly #features: Gathered;
  readonly #targets: Gathered;

  constructor(data: TrainingData, forms: RowForms, rowCountMax: number) {
    this.#features = new Gathered(data.features, forms.input, rowCountMax);
    this.#targets = new Gathered(data.targets, forms.targets, rowCountMax);
  }

  /** The given rows as `[...leading, ...row]`; `leading` multiplies to the row count. */
  gather(rows: Int32Array, leading: readonly number[]): GatheredRows {
    return { features: this.#features.gather(rows, leading), targets: this.#targets.gather(rows, leading) };
  }
}

type Numbers = Float32Array | Int32Array;

/** One tensor of gathered rows. */
class Gathered {
  readonly #from: Numbers;
  readonly #form: TargetForm;
  readonly #width: number;
  readonly #to: Numbers;

  constructor(from: Numbers, form: TargetForm, rowCountMax: number) {
    this.#from = from;
    this.#form = form;
    this.#width = product(form.rowShape);
    this.#to = new { FP32: Float32Array, INT32: Int32Array }[form.dataType](rowCountMax * this.#width);
  }

  gather(rows: Int32Array, leading: readonly number[]): RuntimeTensor {
    copyRows(this.#from, this.#width, rows, this.#to);
    const { dataType, rowShape } = this.#form;
    const elements = this.#to.subarray(0, rows.length * this.#width);
    return { dataType, shape: [...leading, ...rowShape], elements } as RuntimeTensor;
  }
}

function copyRows(from: Numbers, width: number, rows: Int32Array, to: Numbers): void {
  for (let index = 0; index < rows.length; index++) {
    const [source, target] = [rows[index] * width, index * width];
    if (width === 1) to[target] = from[source];
    else to.set(from.subarray(source, source + width), target);
  }
}
