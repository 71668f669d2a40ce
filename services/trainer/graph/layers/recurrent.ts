import { int, string } from "../../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import type { Parameter } from "../network.ts";
import { biasOf, evenlyByFan, type FirstElements, weightOf } from "./first-elements.ts";
import {
  type Appending,
  type BuiltLayer,
  checkCount,
  checkShare,
  type LayerKind,
  type Place,
  shapeError,
} from "./layer-kind.ts";

/** Long short-term memory (Hochreiter and Schmidhuber 1997), as `torch.nn.LSTM` with batch_first. */
export interface Lstm extends Recurrent {
  readonly kind: "lstm";
}

/** Gated recurrent units (Cho et al. 2014), as `torch.nn.GRU` with batch_first. */
export interface Gru extends Recurrent {
  readonly kind: "gru";
}

/** Rows are [places, features]. */
interface Recurrent extends FirstElements {
  readonly hiddenSize: number;
  /** One on top of the other; 1 by default. */
  readonly layerCount?: number | undefined;
  /** Whether each layer also goes from the last place to the first, which doubles what comes out; false by default. */
  readonly bidirectional?: boolean | undefined;
  /** Between the layers, in [0, 1); 0 by default. */
  readonly dropout?: number | undefined;
  /** Whether only what each direction gives at its end comes out, [hidden]; otherwise all places, [places, hidden]. False by default. */
  readonly lastOnly?: boolean | undefined;
}

/** Gates in PyTorch's order, by their place in it, in the order of ONNX. */
const gatesOf = { lstm: [0, 3, 1, 2], gru: [1, 0, 2] } as const;

export const lstm: LayerKind<Lstm> = recurrent;
export const gru: LayerKind<Gru> = recurrent;

/** Layers one on top of the other, at most. */
const levelCountMax = 16;

function recurrent(layer: Lstm | Gru, input: readonly number[], place: Place): BuiltLayer {
  const { hiddenSize, layerCount = 1, bidirectional = false, dropout = 0, lastOnly = false } = layer;
  checkCount(place, "hidden_size", hiddenSize);
  checkCount(place, "layer_count", layerCount, 1, levelCountMax);
  checkShare(place, "dropout", dropout);
  if (input.length !== 2) throw shapeError(place, layer.kind, input, "[places, features]");
  const [places, features] = input;
  const directions = bidirectional ? ["", "_reverse"] : [""];
  const width = directions.length * hiddenSize;
  const levels = Array.from({ length: layerCount }, (_, level) =>
    directions.map((suffix) => weightsOf(layer, level === 0 ? features : width, `l${level}${suffix}`, place)),
  );
  return {
    outputShape: lastOnly ? [width] : [places, width],
    parameters: levels.flat(2),
    statistics: [],
    append(into, x) {
      const { graph } = into;
      const top = levels.length - 1;
      let sequence = graph.transpose(x, [1, 0, 2]);
      for (const [level, weights] of levels.entries()) {
        const given = level === 0 ? sequence : into.dropout(sequence, dropout);
        const [all, last] = levelOutputs(into, layer, given, weights);
        if (lastOnly && level === top) return graph.reshape(graph.transpose(last, [1, 0, 2]), graph.sizes([-1, width]));
        sequence = graph.reshape(graph.transpose(all, [0, 2, 1, 3]), graph.sizes([places, -1, width]));
      }
      return graph.transpose(sequence, [1, 0, 2]);
    },
  };
}

/** What the directions of one layer give at all places, [places, directions, rows, hidden], and at their ends. */
function levelOutputs(
  { graph, tensor }: Appending,
  { kind, hiddenSize }: Lstm | Gru,
  sequence: Value,
  weights: readonly (readonly Parameter[])[],
): readonly Value[] {
  const stacked = (of: (tensors: readonly Value[]) => Value) => {
    const each = weights.map((parameters) => of(parameters.map(({ name }) => tensor(name))));
    return graph.concat(
      each.map((value) => graph.unsqueeze(value, [0])),
      0,
    );
  };
  const ordered = (value: Value) => inOnnxOrder(graph, value, kind);
  const inputs = [
    sequence,
    stacked(([ofInput]) => ordered(ofInput)),
    stacked(([, ofHidden]) => ordered(ofHidden)),
    stacked(([, , ofInput, ofHidden]) => graph.concat([ordered(ofInput), ordered(ofHidden)], 0)),
  ];
  const attributes = {
    hidden_size: int(hiddenSize),
    direction: string(weights.length === 2 ? "bidirectional" : "forward"),
  };
  if (kind === "lstm") return graph.many("LSTM", inputs, attributes, 2);
  return graph.many("GRU", inputs, { ...attributes, linear_before_reset: int(1) });
}

/** A weight or bias whose gates lie one under the other. */
function inOnnxOrder(graph: GraphBuilder, weight: Value, kind: "lstm" | "gru"): Value {
  const order = gatesOf[kind];
  const size = Number(weight.shape[0]) / order.length;
  const gates = graph.split(weight, graph.sizes(order.map(() => size)), 0);
  return graph.concat(
    order.map((gate) => gates[gate]),
    0,
  );
}

function weightsOf(layer: Lstm | Gru, features: number, suffix: string, place: Place): readonly Parameter[] {
  const { kind, hiddenSize } = layer;
  const size = gatesOf[kind].length * hiddenSize;
  const byDefault = evenlyByFan(hiddenSize);
  return [
    weightOf(layer, place, `weight_ih_${suffix}`, [size, features], byDefault),
    weightOf(layer, place, `weight_hh_${suffix}`, [size, hiddenSize], byDefault),
    biasOf(layer, place, `bias_ih_${suffix}`, [size], byDefault),
    biasOf(layer, place, `bias_hh_${suffix}`, [size], byDefault),
  ];
}
