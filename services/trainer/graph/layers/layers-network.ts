import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import { product } from "../../../../lib/onnx/shapes.ts";
import { dropout } from "../dropout.ts";
import type { Mode, Network, NetworkInput, NetworkOutput } from "../network.ts";
import { specError } from "../spec-error.ts";
import { activations } from "./activations.ts";
import { builtLayers, checkLayerCount, type Layer } from "./layer.ts";
import { type Appending, type BuiltLayer, checkAxes, checkCount } from "./layer-kind.ts";

/** A network as a list of layers, each fed by the one before. Its parameters are named as within `torch.nn.Sequential`, behind `layers.`. */
export interface LayersSpec {
  readonly kind: "layers";
  /** Of one row, without the batch axis; may be left out where a linear layer says how much it takes. */
  readonly inputShape?: readonly number[] | undefined;
  readonly layers: readonly Layer[];
}

/** Checks a list of layers and works out its shapes. Throws SPEC_INVALID that names the layer, the shape given and the one needed. */
export function layersNetwork({ layers, inputShape }: LayersSpec): Network {
  checkLayerCount(layers);
  const [first] = layers;
  const tokenCount = first?.kind === "embedding" ? first.tokenCount : undefined;
  const place = { field: "layers", name: "layers", takesTokens: tokenCount !== undefined, known: [] };
  const rowShape = inputShape?.length ? inputShape : impliedShape(layers);
  checkAxes("input_shape", rowShape);
  for (const [axis, size] of rowShape.entries()) checkCount({ field: "network" }, `input_shape[${axis}]`, size);
  const built = builtLayers(layers, rowShape, place);
  const input: NetworkInput =
    tokenCount === undefined ? { dataType: "FP32", rowShape } : { dataType: "INT32", rowShape, tokenCount };
  const { outputShape, parameters, statistics } = built;
  const parameterCount = parameters.reduce((sum, { shape }) => sum + product(shape), 0);
  return {
    input,
    outputShape,
    parameters,
    statistics,
    parameterCount,
    append: (graph, x, tensors, mode) => appended(built, graph, x, tensors, mode),
  };
}

/** Whether the layers say how many numbers a row has: a linear one does, if rows come to it as they are. */
export function hasImpliedShape(layers: readonly Layer[]): boolean {
  return firstSized(layers) !== undefined;
}

/** Layers through which rows of one axis come as such. */
const keeping: ReadonlySet<string> = new Set([...Object.keys(activations), "dropout", "flatten"]);

function firstSized(layers: readonly Layer[]): { readonly index: number; readonly inputSize: number } | undefined {
  const index = layers.findIndex(({ kind }) => !keeping.has(kind));
  const first = layers[index];
  if (first?.kind !== "linear" || first.inputSize === undefined) return undefined;
  return { index, inputSize: first.inputSize };
}

/** What the first linear layer takes. An empty list is refused elsewhere. */
function impliedShape(layers: readonly Layer[]): readonly number[] {
  if (layers.length === 0) return [];
  const first = firstSized(layers);
  if (first === undefined) throw specError("input_shape", "not set", "the shape of a row, without the batch axis");
  checkCount({ field: `layers[${first.index}]` }, "input_size", first.inputSize);
  return [first.inputSize];
}

function appended(
  built: BuiltLayer,
  graph: GraphBuilder,
  input: Value,
  tensors: ReadonlyMap<string, Value>,
  mode: Mode,
): NetworkOutput {
  const statistics = new Map<string, Value>();
  let maskCount = 0;
  const into: Appending = {
    graph,
    mode,
    tensor: (name) => tensors.get(name) as Value,
    changed: (name, value) => statistics.set(name, value),
    dropout: (x, ratio) =>
      mode.kind === "training" && ratio > 0 ? dropout(graph, x, ratio, { ...mode, index: maskCount++ }) : x,
  };
  return { output: built.append(into, input), statistics };
}
