import { ServiceError } from "../../../../lib/errors.ts";
import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import { product } from "../../../../lib/onnx/shapes.ts";
import type { Network } from "../network.ts";

/**
 * A loss in a graph: `mean` is the scalar to differentiate; `scores` what it is taken of, the output before a final softmax or sigmoid that
 * is part of it; `correctCount` the rows whose best score is their class.
 */
export interface LossValues {
  readonly mean: Value;
  readonly scores: Value;
  readonly correctCount?: Value;
}

/** What a batch's targets look like: the tensor of one row, and how it is stored. */
export interface TargetForm {
  readonly dataType: "FP32" | "INT32";
  readonly rowShape: readonly number[];
}

/** The targets of all rows, row after row. */
export type Targets = Float32Array | Int32Array;

/** What a row is called in messages. */
export type RowName = (row: number) => string;

/** One kind of loss. `outputShape` is that of a row that the network gives. */
export interface LossKind<L> {
  /** Throws SPEC_INVALID for a field out of its range, or a network that it cannot take. */
  check(loss: L, network: Pick<Network, "input" | "outputShape">): void;
  /** Throws DATASET_INVALID for targets of the wrong kind, width or range; names the first row at fault. */
  checkTargets(loss: L, targets: Targets, rowCount: number, outputShape: readonly number[], nameOf: RowName): void;
  targetForm(outputShape: readonly number[]): TargetForm;
  /** Appends the loss of a batch; `output` is [rows, ...outputShape], `targets` [rows, ...rowShape]. */
  values(loss: L, graph: GraphBuilder, output: Value, targets: Value): LossValues;
}

/** Refuses targets that are not rows of so many numbers. */
export function checkNumbers(kind: string, targets: Targets, rowCount: number, outputShape: readonly number[]): void {
  if (!(targets instanceof Float32Array)) throw targetError("class indices", `numbers, for the loss ${kind}`);
  const [width, needed] = [targets.length / rowCount, product(outputShape)];
  if (width !== needed) throw targetError(`${width} wide`, `${needed} wide, the network's output`);
}

export function targetError(seen: string, needed: string): ServiceError {
  return new ServiceError("DATASET_INVALID", `the dataset's targets are ${seen}; needed: ${needed}`);
}
