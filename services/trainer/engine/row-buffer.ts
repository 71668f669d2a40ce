import { assert } from "../../../lib/errors.ts";
import { product } from "../../../lib/onnx/shapes.ts";
import type { RowElements, RowReader } from "../datasets/row-source.ts";
import type { TargetForm } from "../graph/losses/loss-kind.ts";
import type { NetworkInput } from "../graph/network.ts";
import type { RuntimeTensor } from "./runtime.ts";

/** What the rows of a dataset look like to a network and its loss. */
export interface RowForms {
  readonly input: NetworkInput;
  readonly targets: TargetForm;
}

/** Rows that one call of the runtime is given. They lie in buffers that the next call overwrites. */
export interface ReadRows {
  readonly features: RuntimeTensor;
  readonly targets: RuntimeTensor;
}

/** Room for the rows of one call of the runtime, used again from call to call. */
export class RowBuffer {
  readonly #forms: RowForms;
  readonly #features: RowElements;
  readonly #targets: RowElements;

  constructor(forms: RowForms, rowCountMax: number) {
    this.#forms = forms;
    this.#features = roomFor(forms.input, rowCountMax);
    this.#targets = roomFor(forms.targets, rowCountMax);
  }

  /** The next rows of a reader, which has so many, as `[...leading, ...row]`; `leading` multiplies to how many they are. */
  read(reader: RowReader, leading: readonly number[]): ReadRows {
    const { input, targets } = this.#forms;
    readRows(reader, this.#forms, product(leading), { features: this.#features, targets: this.#targets });
    return {
      features: tensorOf(input, this.#features, leading),
      targets: tensorOf(targets, this.#targets, leading),
    };
  }
}

/** Fills arrays with the next rows of a reader, which has so many. */
export function readRows(
  reader: RowReader,
  { input, targets }: RowForms,
  rowCount: number,
  into: { readonly features: RowElements; readonly targets: RowElements },
): void {
  const [featureCount, targetCount] = [product(input.rowShape), product(targets.rowShape)];
  for (let done = 0; done < rowCount; ) {
    const count = reader.read(
      into.features.subarray(done * featureCount, rowCount * featureCount),
      into.targets.subarray(done * targetCount, rowCount * targetCount),
    );
    assert(count > 0, `a dataset has the rows that it says, but ${rowCount - done} of them are missing`);
    done += count;
  }
}

type RowForm = Pick<TargetForm, "dataType" | "rowShape">;

function roomFor({ dataType, rowShape }: RowForm, rowCount: number): RowElements {
  return new { FP32: Float32Array, INT32: Int32Array }[dataType](rowCount * product(rowShape));
}

function tensorOf({ dataType, rowShape }: RowForm, elements: RowElements, leading: readonly number[]): RuntimeTensor {
  const shape = [...leading, ...rowShape];
  return { dataType, shape, elements: elements.subarray(0, product(shape)) } as RuntimeTensor;
}
