import { ServiceError } from "../../../lib/errors.ts";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import { specError } from "./spec-error.ts";

/** One layer of a network; a network is a list of layers, each fed by the one before. */
export type Layer =
  | { readonly kind: "linear"; readonly inputSize: number; readonly outputSize: number }
  | { readonly kind: "relu" }
  | { readonly kind: "tanh" }
  | { readonly kind: "sigmoid" }
  /** Over the features of a row. Only the last layer may be one. */
  | { readonly kind: "softmax" };

/** A trainable tensor; its name is `layers.<index>.weight` or `.bias`, its shape as in PyTorch. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** The number of inputs that each output of the layer sums over. */
  readonly fanIn: number;
}

/** A layer list that has passed every check. */
export interface Network {
  readonly layers: readonly Layer[];
  /** Features of a row going in. */
  readonly inputSize: number;
  /** Features of a row coming out. */
  readonly outputSize: number;
  /** In layer order, weight before bias. */
  readonly parameters: readonly Parameter[];
  /** Elements of all parameters together. */
  readonly parameterCount: number;
}

/** What a network gives for a batch, and what its last layer makes that of. */
export interface NetworkOutput {
  readonly output: Value;
  readonly last: { readonly kind: Layer["kind"]; readonly input: Value };
}

/** The output before a last layer of a kind; the output itself where the last layer is of another one. */
export function beforeLast({ output, last }: NetworkOutput, kind: Layer["kind"]): Value {
  return last.kind === kind ? last.input : output;
}

const layerCountMax = 256;
const parameterCountMax = 2 ** 26;

/** Checks a layer list and works out its sizes. Throws SPEC_INVALID that names the layer, its size and the size needed. */
export function networkOf(layers: readonly Layer[]): Network {
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
  const parameterCount = parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  if (parameterCount > parameterCountMax) {
    throw specError("layers", `a network of ${parameterCount} parameters`, `at most ${parameterCountMax}`);
  }
  const last = layers.findLast((layer) => layer.kind === "linear");
  return { layers, inputSize: first.inputSize, outputSize: (last ?? first).outputSize, parameters, parameterCount };
}

/** Appends the network to a graph. `input` is [rows, inputSize]; `parameters` holds a value for each parameter's name. */
export function networkOutput(
  graph: GraphBuilder,
  network: Network,
  input: Value,
  parameters: ReadonlyMap<string, Value>,
): NetworkOutput {
  let [output, before] = [input, input];
  for (const [index, layer] of network.layers.entries()) {
    before = output;
    const given = parametersOf(layer, `layers.${index}`).map(({ name }) => parameters.get(name) as Value);
    output = layerKinds[layer.kind](graph, output, given);
  }
  return { output, last: { kind: network.layers.at(-1)!.kind, input: before } };
}

/** What a layer computes from its input and its parameters. */
const layerKinds = {
  linear: (graph, input, [weight, bias]) => graph.gemm(input, weight, bias, { transposeB: true }),
  relu: (graph, input) => graph.relu(input),
  tanh: (graph, input) => graph.tanh(input),
  sigmoid: (graph, input) => graph.sigmoid(input),
  softmax: (graph, input) => graph.softmax(input),
} as const satisfies Record<Layer["kind"], (graph: GraphBuilder, input: Value, parameters: readonly Value[]) => Value>;

function parametersOf(layer: Layer, prefix: string): Parameter[] {
  if (layer.kind !== "linear") return [];
  const { inputSize, outputSize } = layer;
  return [
    { name: `${prefix}.weight`, shape: [outputSize, inputSize], fanIn: inputSize },
    { name: `${prefix}.bias`, shape: [outputSize], fanIn: inputSize },
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
