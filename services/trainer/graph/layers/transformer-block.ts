import { activationNamed } from "./activations.ts";
import { dropout as dropoutKind } from "./arrangement.ts";
import { attention } from "./attention.ts";
import type { FirstElements } from "./first-elements.ts";
import { checkCount, inTurn, type LayerKind, placeWithin, shapeError } from "./layer-kind.ts";
import { linear } from "./linear.ts";
import { layerNorm } from "./normalization.ts";

/**
 * Attention and two dense layers, each added to its input and normalised, as `torch.nn.TransformerEncoderLayer` with batch_first, whose
 * names its parameters have (Vaswani et al. 2017). Initializers are those of attention and dense layers.
 */
export interface TransformerBlock extends FirstElements {
  readonly kind: "transformer_block";
  /** A divisor of the width. */
  readonly headCount: number;
  /** Outputs of the first dense layer; four times the width by default. */
  readonly hiddenSize?: number | undefined;
  /** Whether places behind are hidden; false by default. */
  readonly causal?: boolean | undefined;
  /** Whether what attention and the dense layers are given is normalised, rather than the sums; false by default. */
  readonly normFirst?: boolean | undefined;
  /** That between the dense layers; relu by default. */
  readonly activation?: string | undefined;
  /** Of the shares of attention, between the dense layers and of what is added, in [0, 1); 0 by default. */
  readonly dropout?: number | undefined;
}

export const transformerBlock: LayerKind<TransformerBlock> = (block, input, place) => {
  if (input.length !== 2) throw shapeError(place, "transformer_block", input, "[places, width]");
  const width = input[1];
  const first: FirstElements = { initialWeight: block.initialWeight, initialBias: block.initialBias };
  const { headCount, hiddenSize = 4 * width, causal, normFirst = false, activation = "relu", dropout = 0 } = block;
  checkCount(place, "hidden_size", hiddenSize);
  const dropped = dropoutKind({ kind: "dropout", ratio: dropout }, input, place);
  const part = (name: string) => ({ ...placeWithin(place, name), field: place.field });
  const attending = attention({ kind: "attention", headCount, causal, dropout, ...first }, input, part("self_attn"));
  const inner = linear({ kind: "linear", outputSize: hiddenSize, ...first }, input, part("linear1"));
  const bent = activationNamed(activation, inner.outputShape, place);
  const outer = linear({ kind: "linear", outputSize: width, ...first }, inner.outputShape, part("linear2"));
  const [norm1, norm2] = ["norm1", "norm2"].map((name) => layerNorm({ kind: "layer_norm" }, input, part(name)));
  const halves = [
    { branch: inTurn([attending, dropped], input), norm: norm1 },
    { branch: inTurn([inner, bent, dropped, outer, dropped], input), norm: norm2 },
  ];
  return {
    ...inTurn([attending, inner, outer, norm1, norm2], input),
    outputShape: input,
    append(into, x) {
      const added = (given: typeof x, branch: typeof attending, taken: typeof x) =>
        into.graph.add(given, branch.append(into, taken));
      return halves.reduce(
        (value, { branch, norm }) =>
          normFirst ? added(value, branch, norm.append(into, value)) : norm.append(into, added(value, branch, value)),
        x,
      );
    },
  };
};
