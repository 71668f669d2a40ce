import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import type { Parameter } from "../network.ts";
import { specError } from "../spec-error.ts";
import { biasOf, evenlyByFan, type FirstElements, weightOf } from "./first-elements.ts";
import { checkCount, type LayerKind, type Place, shapeError } from "./layer-kind.ts";

/** `y = x Wᵀ + b` over the last axis, as `torch.nn.Linear`. */
export interface Linear extends FirstElements {
  readonly kind: "linear";
  /** Follows from the layer before; another one is refused. */
  readonly inputSize?: number | undefined;
  readonly outputSize: number;
  /** Whether it adds b; true by default. */
  readonly bias?: boolean | undefined;
  /** A parameter [outputSize, inputSize] of a layer before that is W here too, such as `layers.0.weight` of an embedding. */
  readonly weightOf?: string | undefined;
}

export const linear: LayerKind<Linear> = (layer, input, place) => {
  const { outputSize, bias = true } = layer;
  const inputSize = input.at(-1);
  if (layer.inputSize !== undefined) checkCount(place, "input_size", layer.inputSize);
  checkCount(place, "output_size", outputSize);
  if (inputSize === undefined) throw shapeError(place, "linear", input, "[..., size]");
  if (layer.inputSize !== undefined && layer.inputSize !== inputSize) {
    throw specError(
      `${place.field}.input_size`,
      layer.inputSize,
      `${inputSize}, of rows of the shape [${input.join(", ")}]`,
    );
  }
  const byDefault = evenlyByFan(inputSize);
  const weight =
    tiedWeight(layer, inputSize, place) ?? weightOf(layer, place, "weight", [outputSize, inputSize], byDefault);
  const biases = bias ? [biasOf(layer, place, "bias", [outputSize], byDefault)] : [];
  return {
    outputShape: [...input.slice(0, -1), outputSize],
    parameters: layer.weightOf === undefined ? [weight, ...biases] : biases,
    statistics: [],
    append: ({ graph, tensor }, x) => dense(graph, x, tensor(weight.name), biases[0] && tensor(biases[0].name)),
  };
};

/** `x` [rows, ..., in] times the transpose of `weight` [out, in], as one product of matrices. */
export function dense(graph: GraphBuilder, x: Value, weight: Value, bias: Value | undefined): Value {
  if (x.shape.length === 2) return graph.gemm(x, weight, bias, { transposeB: true });
  const [outputSize, inputSize] = weight.shape.map(Number);
  const rows = graph.reshape(x, graph.sizes([-1, inputSize]));
  const product = graph.gemm(rows, weight, bias, { transposeB: true });
  return graph.reshape(product, graph.sizes([-1, ...x.shape.slice(1, -1).map(Number), outputSize]));
}

function tiedWeight(
  { weightOf, outputSize, initialWeight }: Linear,
  inputSize: number,
  place: Place,
): Parameter | undefined {
  if (weightOf === undefined) return undefined;
  const field = `${place.field}.weight_of`;
  if (initialWeight !== undefined) throw specError(field, weightOf, "no initial_weight beside it");
  const needed = `[${outputSize}, ${inputSize}]`;
  const fitting = place.known.filter(({ shape }) => `[${shape.join(", ")}]` === needed);
  const found = fitting.find(({ name }) => name === weightOf);
  if (found !== undefined) return found;
  const names = fitting.map(({ name }) => name).join(", ");
  throw specError(
    field,
    weightOf,
    `a parameter ${needed} of a layer before; there ${names ? `is ${names}` : "is none"}`,
  );
}
