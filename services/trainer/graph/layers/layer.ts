import { product } from "../../../../lib/onnx/shapes.ts";
import { specError } from "../spec-error.ts";
import { type Activation, activations } from "./activations.ts";
import {
  type Dropout,
  dropout,
  type Flatten,
  flatten,
  type Permute,
  type Pick,
  permute,
  pick,
  type Reshape,
  reshape,
} from "./arrangement.ts";
import { type Attention, attention } from "./attention.ts";
import { type Convolution, convolution, type TransposedConvolution, transposedConvolution } from "./convolution.ts";
import { type Embedding, embedding, type PositionEmbedding, positionEmbedding } from "./embedding.ts";
import { type BuiltLayer, inTurn, type LayerKind, type Place, shapeError } from "./layer-kind.ts";
import { type Linear, linear } from "./linear.ts";
import {
  type BatchNorm,
  batchNorm,
  type GroupNorm,
  groupNorm,
  type LayerNorm,
  layerNorm,
  type RmsNorm,
  rmsNorm,
} from "./normalization.ts";
import {
  type AveragePool,
  averagePool,
  type GlobalAveragePool,
  globalAveragePool,
  type MaxPool,
  maxPool,
} from "./pooling.ts";
import { type Gru, gru, type Lstm, lstm } from "./recurrent.ts";
import { type Residual, residualOf } from "./residual.ts";
import { type TransformerBlock, transformerBlock } from "./transformer-block.ts";

/** One layer of a network, by the defaults of PyTorch. */
export type Layer =
  | Linear
  | Activation
  | Convolution
  | TransposedConvolution
  | MaxPool
  | AveragePool
  | GlobalAveragePool
  | BatchNorm
  | LayerNorm
  | GroupNorm
  | RmsNorm
  | Dropout
  | Flatten
  | Reshape
  | Permute
  | Pick
  | Embedding
  | PositionEmbedding
  | Lstm
  | Gru
  | Attention
  | Residual<Layer>
  | TransformerBlock;

const kinds = {
  linear,
  ...activations,
  conv: convolution,
  conv_transpose: transposedConvolution,
  max_pool: maxPool,
  average_pool: averagePool,
  global_average_pool: globalAveragePool,
  batch_norm: batchNorm,
  layer_norm: layerNorm,
  group_norm: groupNorm,
  rms_norm: rmsNorm,
  dropout,
  flatten,
  reshape,
  permute,
  pick,
  embedding,
  position_embedding: positionEmbedding,
  lstm,
  gru,
  attention,
  residual: residualOf<Layer>(builtLayers),
  transformer_block: transformerBlock,
} as const satisfies { [K in Layer["kind"]]: LayerKind<Extract<Layer, { kind: K }>> };

/** The names of all kinds. */
export const layerKinds = Object.keys(kinds);

/** Layers of one list, at most. */
const layerCountMax = 256;

/** Layers of a network, those of lists within lists included, at most. */
const allLayersMax = 1024;

/** Lists within lists, at most. */
const depthMax = 8;

/** Elements of one row between two layers, at most. */
const rowElementsMax = 2 ** 24;

/** Refuses lists whose layers are too many together: throws SPEC_INVALID. Built, each would cost time that no other bound limits. */
export function checkLayerCount(layers: readonly Layer[]): void {
  const count = layerCountOf(layers);
  if (count > allLayersMax) throw specError("layers", `lists of ${count} layers together`, `at most ${allLayersMax}`);
}

function layerCountOf(layers: readonly Layer[]): number {
  return layers.reduce((sum, layer) => {
    const within = layer.kind === "residual" ? layerCountOf(layer.layers) + layerCountOf(layer.shortcut ?? []) : 0;
    return sum + 1 + within;
  }, 0);
}

/** Builds a list of layers, each fed by the one before; `place` is that of the list. Throws SPEC_INVALID. */
export function builtLayers(layers: readonly Layer[], input: readonly number[], place: Place): BuiltLayer {
  if (layers.length < 1 || layers.length > layerCountMax) {
    throw specError(place.field, `a list of ${layers.length}`, `1 to ${layerCountMax} layers`);
  }
  if (place.name.split(".").length > 2 * depthMax)
    throw specError(place.field, "a list too deep", `at most ${depthMax}`);
  const parts: BuiltLayer[] = [];
  let known = place.known;
  let shape = input;
  for (const [index, layer] of layers.entries()) {
    const within = { field: `${place.field}[${index}]`, name: `${place.name}.${index}`, known };
    const part = builtLayer(layer, shape, { ...within, takesTokens: place.takesTokens && index === 0 });
    parts.push(part);
    known = [...known, ...part.parameters];
    shape = part.outputShape;
  }
  return inTurn(parts, input);
}

function builtLayer(layer: Layer, input: readonly number[], place: Place): BuiltLayer {
  if (!Object.hasOwn(kinds, layer.kind)) {
    throw specError(`${place.field}.kind`, layer.kind, `one of ${Object.keys(kinds).join(", ")}`);
  }
  const built = (kinds[layer.kind] as LayerKind<Layer>)(layer, input, place);
  if (product(built.outputShape) > rowElementsMax) {
    throw shapeError(place, layer.kind, input, `rows of which it makes at most ${rowElementsMax} elements`);
  }
  return built;
}
