import { int } from "../../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import { specError } from "../spec-error.ts";
import { biasOf, evenlyByFan, type FirstElements, weightOf } from "./first-elements.ts";
import { checkCount, checkShare, type LayerKind, shapeError } from "./layer-kind.ts";
import { dense } from "./linear.ts";

/**
 * Each place attends to all, or to itself and those before: self-attention of several heads over rows [places, width], as
 * `torch.nn.MultiheadAttention` (Vaswani et al. 2017).
 */
export interface Attention extends FirstElements {
  readonly kind: "attention";
  /** A divisor of the width. */
  readonly headCount: number;
  /** Whether places behind are hidden; false by default. */
  readonly causal?: boolean | undefined;
  /** Of the shares of attention, in [0, 1); 0 by default. */
  readonly dropout?: number | undefined;
}

export const attention: LayerKind<Attention> = (layer, input, place) => {
  const { headCount, causal = false, dropout = 0 } = layer;
  checkCount(place, "head_count", headCount);
  checkShare(place, "dropout", dropout);
  if (input.length !== 2) throw shapeError(place, "attention", input, "[places, width]");
  const [places, width] = input;
  if (width % headCount !== 0)
    throw specError(`${place.field}.head_count`, headCount, `a divisor of the width, ${width}`);
  const headSize = width / headCount;
  const parameters = [
    weightOf(layer, place, "in_proj_weight", [3 * width, width], { kind: "xavier_uniform" }),
    biasOf(layer, place, "in_proj_bias", [3 * width], { kind: "zeros" }),
    weightOf(layer, place, "out_proj.weight", [width, width], evenlyByFan(width)),
    biasOf(layer, place, "out_proj.bias", [width], { kind: "zeros" }),
  ];
  return {
    outputShape: input,
    parameters,
    statistics: [],
    append(into, x) {
      const { graph } = into;
      const [weight, bias, outWeight, outBias] = parameters.map(({ name }) => into.tensor(name));
      const projected = dense(graph, x, weight, bias);
      const heads = graph.reshape(projected, graph.sizes([-1, places, 3 * headCount, headSize]));
      const each = graph.sizes([headCount, headCount, headCount]);
      const [queries, keys, values] = graph.split(graph.transpose(heads, [0, 2, 1, 3]), each, 1);
      const scores = graph.mul(
        graph.matMul(queries, graph.transpose(keys, [0, 1, 3, 2])),
        graph.scalar(1 / Math.sqrt(headSize), x.dataType),
      );
      const shares = graph.softmax(causal ? graph.add(scores, hiddenBehind(graph, places, x)) : scores);
      const taken = graph.matMul(into.dropout(shares, dropout), values);
      const joined = graph.reshape(graph.transpose(taken, [0, 2, 1, 3]), graph.sizes([-1, places, width]));
      return dense(graph, joined, outWeight, outBias);
    },
  };
};

/** [places, places], −∞ above the diagonal and 0 elsewhere. */
function hiddenBehind(graph: GraphBuilder, places: number, { dataType }: Value): Value {
  const all = graph.expand(graph.scalar(-Infinity, dataType), graph.sizes([places, places]));
  return graph.node("Trilu", [all, graph.scalar(1, "INT64")], { upper: int(1) });
}
