import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { ModelNotes } from "../../../lib/onnx/export.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import type { FittedColumn } from "../datasets/columns/preprocessing.ts";
import type { Initializer } from "./initializers/initializer.ts";

/** A network that can be trained, wherever it came from; `networkOf` of network-spec.ts makes one. */
export interface Network {
  readonly input: NetworkInput;
  /** One row that comes out, without the batch axis. */
  readonly outputShape: readonly number[];
  /** In the order in which their first elements are drawn. */
  readonly parameters: readonly Parameter[];
  /** Empty for most networks. */
  readonly statistics: readonly Statistic[];
  /** Elements of all parameters together. */
  readonly parameterCount: number;
  /** How it is served; as `input` and `output` by default. */
  readonly served?: Served;
  /**
   * Appends the network to a graph. `input` is of the input's type and [...leading, ...rowShape] with one leading axis, the rows;
   * `tensors` holds a value for the name of each parameter and statistic.
   */
  append(graph: GraphBuilder, input: Value, tensors: ReadonlyMap<string, Value>, mode: Mode): NetworkOutput;
}

/** One row that goes in, without the batch axis. */
export interface NetworkInput {
  /** INT32: tokens. */
  readonly dataType: "FP32" | "INT32";
  readonly rowShape: readonly number[];
  /** Tokens are in [0, tokenCount). */
  readonly tokenCount?: number | undefined;
}

/** What the served model says of itself. */
export interface Served {
  readonly input: { readonly name: string; readonly dataType: "FP32" | "INT32" | "INT64" };
  /** Of a network that has an input for each of its columns: what they are, and what is done to their values. */
  readonly columns?: readonly FittedColumn[] | undefined;
  readonly outputName: string;
  /** The name of the size of the first axis. */
  readonly rows: string;
  readonly notes: ModelNotes;
}

/** A tensor that gradients move. Named as PyTorch's modules would name it, so that weights map one to one. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initial: Initial;
}

/** A tensor that a step changes though no gradient does: the running mean or variance of BatchNorm. FP32. */
export type Statistic = Parameter;

/** What a tensor begins with. */
export type Initial =
  | Initializer
  /** As many as the shape has, row-major. */
  | { readonly kind: "elements"; readonly elements: Float32Array };

/** What a network is appended for. */
export type Mode =
  /** Statistics are those of the batch, and dropout drops, by the seed of the run and `step`, an INT64 scalar: the steps before. */
  | {
      readonly kind: "training";
      readonly seed: number;
      readonly step: Value;
      /** By operators that other devices than the CPU have too. */
      readonly isComposed?: boolean;
    }
  | { readonly kind: "inference" };

/** What a network gives for a batch. */
export interface NetworkOutput {
  /** [rows, ...outputShape]. */
  readonly output: Value;
  /** In training, each statistic after the step, by name. */
  readonly statistics: ReadonlyMap<string, Value>;
}

/** The scores before a last softmax, over the last axis, or a last sigmoid; `output` itself where it is another operator's. */
export function scoresOf(output: Value, last: "Softmax" | "Sigmoid"): Value {
  const { producer } = output;
  if (producer?.operator !== last) return output;
  const axis = producer.attributes.axis;
  const isLast = axis === undefined || (axis.kind === "int" && [-1, output.shape.length - 1].includes(axis.value));
  return isLast ? producer.inputs[0]! : output;
}
