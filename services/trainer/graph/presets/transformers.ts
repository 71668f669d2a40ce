import type { Layer } from "../layers/layer.ts";
import type { LayersSpec } from "../layers/layers-network.ts";
import { specError } from "../spec-error.ts";

interface Transformer {
  /** Tokens are in [0, tokenCount). */
  readonly tokenCount: number;
  /** Tokens of a row. */
  readonly context: number;
  readonly width: number;
  readonly layerCount: number;
  /** A divisor of the width. */
  readonly headCount: number;
  /** Outputs of the first dense layer of each block; four times the width by default. */
  readonly hiddenSize?: number | undefined;
  /** Everywhere, in [0, 1); 0 by default. */
  readonly dropout?: number | undefined;
}

/** Blocks that see the whole row, and a class made of its first place, as BERT (Devlin et al. 2019): normalised behind each sum, with gelu. */
export interface TransformerEncoder extends Transformer {
  readonly kind: "transformer_encoder";
  /** Classes. */
  readonly outputSize: number;
}

/**
 * Blocks that see what came before, and the scores of the next token at each place, as GPT-2 (Radford et al. 2019): normalised before
 * each block, with gelu. The embedding begins with the deviation 0.02.
 */
export interface Gpt extends Transformer {
  readonly kind: "gpt";
  /** Whether the scores are made by the weights of the embedding; false by default. Without a bias either way. */
  readonly tied?: boolean | undefined;
}

export function transformerEncoderLayers(encoder: TransformerEncoder): LayersSpec {
  const { context, width, outputSize, dropout } = encoder;
  return {
    kind: "layers",
    inputShape: [context],
    layers: [
      ...embedded(encoder),
      { kind: "layer_norm" },
      ...dropped(dropout),
      ...blocks(encoder, { causal: false, normFirst: false }),
      { kind: "pick", index: 0 },
      { kind: "linear", outputSize: width },
      { kind: "tanh" },
      ...dropped(dropout),
      { kind: "linear", outputSize },
    ],
  };
}

export function gptLayers(gpt: Gpt): LayersSpec {
  const { context, tokenCount, tied = false, dropout } = gpt;
  return {
    kind: "layers",
    inputShape: [context],
    layers: [
      ...embedded(gpt),
      ...dropped(dropout),
      ...blocks(gpt, { causal: true, normFirst: true }),
      { kind: "layer_norm" },
      { kind: "linear", outputSize: tokenCount, bias: false, ...(tied && { weightOf: "layers.0.weight" }) },
    ],
  };
}

function embedded({ tokenCount, width }: Transformer): readonly Layer[] {
  const initialWeight = { kind: "normal", deviation: 0.02 } as const;
  return [
    { kind: "embedding", tokenCount, width, initialWeight },
    { kind: "position_embedding", initialWeight },
  ];
}

function blocks(
  { layerCount, headCount, hiddenSize, dropout }: Transformer,
  kind: { readonly causal: boolean; readonly normFirst: boolean },
): readonly Layer[] {
  if (!(Number.isSafeInteger(layerCount) && layerCount >= 1 && layerCount <= blockCountMax)) {
    throw specError("layer_count", layerCount, `a whole number in [1, ${blockCountMax}]`);
  }
  const block = { kind: "transformer_block", headCount, hiddenSize, activation: "gelu", dropout, ...kind } as const;
  return Array.from({ length: layerCount }, () => block);
}

/** Blocks of one network, at most. */
const blockCountMax = 128;

function dropped(ratio = 0): readonly Layer[] {
  return ratio === 0 ? [] : [{ kind: "dropout", ratio }];
}
