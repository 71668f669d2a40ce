import { product } from "../../../../lib/onnx/shapes.ts";
import type { Tensors } from "../formats/tensors.ts";
import type { ColumnChunk, ColumnSource, SourceColumn } from "./column-source.ts";

/** The names of what a file of tensors has; nothing can be said of them in `data.columns`. */
const [featuresName, targetsName] = ["features", "targets"];

const types = { FP32: "FLOAT", INT32: "INTEGER" } as const;

/** A file of tensors as two columns at most; classes that have names are texts. */
export class TensorSource implements ColumnSource {
  readonly columns: readonly SourceColumn[];
  readonly rowCount: number;
  readonly #tensors: Tensors;

  constructor(tensors: Tensors) {
    const { rowCount, featureShape, featureType, targetShape, targetType, classNames } = tensors;
    this.#tensors = tensors;
    this.rowCount = rowCount;
    const features: SourceColumn = {
      name: featuresName,
      role: "feature",
      kind: "number",
      width: product(featureShape),
      shape: featureShape,
      type: types[featureType],
    };
    const kind = classNames === undefined ? "number" : "text";
    const width = product(targetShape ?? []);
    const type = classNames === undefined ? types[targetType] : "VARCHAR";
    const targets: SourceColumn = { name: targetsName, role: "target", kind, width, type, categories: classNames };
    this.columns = targetShape === undefined ? [features] : [features, targets];
  }

  async *read(names: readonly string[], exact: readonly string[] = []): AsyncIterable<ColumnChunk> {
    const { classNames } = this.#tensors;
    for await (const { rowCount, features, targets } of this.#tensors.batches()) {
      const valuesOf = (name: string) => {
        if (name === featuresName) return features;
        return classNames === undefined ? targets : Array.from(targets, (label) => classNames[label]);
      };
      const exactly = exact.map((name) => Array.from(valuesOf(name) as ArrayLike<unknown>, String));
      yield { rowCount, values: [...names.map(valuesOf), ...exactly] };
    }
  }

  placeOf(row: number): string {
    return this.#tensors.placeOf(row);
  }
}
