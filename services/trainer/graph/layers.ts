import { ServiceError } from "../../../lib/errors.ts";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import { product } from "../../../lib/onnx/shapes.ts";
import type { Network, NetworkOutput, Parameter } from "./network.ts";
import { specError } from "./spec-error.ts";

/** A network as a list of layers, each fed by the one before. */
export interface LayersSpec {
  readonly kind: "layers";
  readonly layers: readonly Layer[];
}

/** One layer of a network. */
export type Layer =
  | { readonly kind: "linear"; readonly inputSize: number; readonly outputSize: number }
  | { readonly kind: "relu" }
  | { readonly kind: "tanh" }
  | { readonly kind: "sigmoid" }
  /** Over the features of a row. Only the last layer may be one. */
  | { readonly kind: "softmax" };

const layerCountMax = 256;

/** Checks a layer list and works out its sizes. Throws SPEC_INVALID that names the layer, its size and the size needed. */
export function layersNetwork({ layers }: LayersSpec): Network {
  if (layers.length < 1 || layers.length > layerCountMax) {
    throw specError("layers", `a list of ${layers.length}`, `1 to ${layerCountMax} layers`);
  }
  layers.forEach(checkLayer);
  const first = layers.find((layer) => layer.kind === "linear");
  if (first === undefined) throw specError("layers", "a list without a linear layer", "at least one linear layer");
  checkChain(layers);
  if (layers.slice(0, -1).some((layer) => layer.kind === "softmax")) {
    const index = layers.findIndex((layer) => layer.kind === "softmax");
    throw specError(`layers[${index}]`, "softmax", "another kind, because only the last layer may be softmax");
  }
  const parameters = layers.flatMap((layer, index) => parametersOf(layer, `layers.${index}`));
  const last = layers.findLast((layer) => layer.kind === "linear");
  return {
    input: { dataType: "FP32", rowShape: [first.inputSize] },
    outputShape: [(last ?? first).outputSize],
    parameters,
    statistics: [],
    parameterCount: parameters.reduce((sum, { shape }) => sum + product(shape), 0),
    append: (graph, input, tensors) => appended(graph, layers, input, tensors),
  };
}

function appended(
  graph: GraphBuilder,
  layers: readonly Layer[],
  input: Value,
  tensors: ReadonlyMap<string, Value>,
): NetworkOutput {
  let output = input;
  for (const [index, layer] of layers.entries()) {
    const given = parametersOf(layer, `layers.${index}`).map(({ name }) => tensors.get(name) as Value);
    output = layerKinds[layer.kind](graph, output, given);
  }
  return { output, statistics: new Map() };
}

/** What a layer computes from its input and its parameters. */
const layerKinds = {
  linear: (graph, input, [weight, bias]) => graph.gemm(input, weight, bias, { transposeB: true }),
  relu: (graph, input) => graph.relu(input),
  tanh: (graph, input) => graph.tanh(input),
  sigmoid: (graph, input) => graph.sigmoid(input),
  softmax: (graph, input) => graph.softmax(input),
} as const satisfies Record<Layer["kind"], (graph: GraphBuilder, input: Value, parameters: readonly Value[]) => Value>;

/** Drawn as PyTorch draws those of `Linear`: uniform in ±1/√inputSize (Kaiming uniform with a = √5, after He et al. 2015). */
function parametersOf(layer: Layer, prefix: string): Parameter[] {
  if (layer.kind !== "linear") return [];
  const { inputSize, outputSize } = layer;
  const initial = { kind: "uniform", bound: 1 / Math.sqrt(inputSize) } as const;
  return [
    { name: `${prefix}.weight`, shape: [outputSize, inputSize], initial },
    { name: `${prefix}.bias`, shape: [outputSize], initial },
  ];
}

function checkLayer(layer: Layer, index: number): void {
  if (!Object.hasOwn(layerKinds, layer.kind)) {
    throw specError(`layers[${index}].kind`, layer.kind, `one of ${Object.keys(layerKinds).join(", ")}`);
  }
  if (layer.kind !== "linear") return;
  for (const [field, size] of [["input_size", layer.inputSize] as const, ["output_size", layer.outputSize] as const]) {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw specError(`layers[${index}].${field}`, size, "a whole number of at least 1");
    }
  }
}

function checkChain(layers: readonly Layer[]): void {
  let before: { index: number; size: number } | undefined;
  for (const [index, layer] of layers.entries()) {
    if (layer.kind !== "linear") continue;
    if (before !== undefined && layer.inputSize !== before.size) {
      throw new ServiceError(
        "SPEC_INVALID",
        `layers[${index}].input_size is ${layer.inputSize} but layers[${before.index}] gives ${before.size}`,
        { metadata: { field: `layers[${index}].input_size` } },
      );
    }
    before = { index, size: layer.outputSize };
  }
}
