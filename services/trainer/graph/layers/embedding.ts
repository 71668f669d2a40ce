import { ServiceError } from "../../../../lib/errors.ts";
import { type FirstWeights, weightOf } from "./first-elements.ts";
import { checkCount, type LayerKind, shapeError } from "./layer-kind.ts";

/** A vector for each token of a row, as `torch.nn.Embedding`: [places] becomes [places, width]. Only the first layer of a network. */
export interface Embedding extends FirstWeights {
  readonly kind: "embedding";
  /** Tokens are in [0, tokenCount). */
  readonly tokenCount: number;
  readonly width: number;
}

/** A vector that is learned for each place, added to it: rows are [places, width]. */
export interface PositionEmbedding extends FirstWeights {
  readonly kind: "position_embedding";
}

const normal = { kind: "normal" } as const;

export const embedding: LayerKind<Embedding> = (layer, input, place) => {
  const { tokenCount, width } = layer;
  checkCount(place, "token_count", tokenCount);
  checkCount(place, "width", width);
  if (!place.takesTokens) {
    const { field } = place;
    const message = `${field} is an embedding; needed: another layer, because only the first of a network is given tokens`;
    throw new ServiceError("SPEC_INVALID", message, { metadata: { field } });
  }
  const weight = weightOf(layer, place, "weight", [tokenCount, width], normal);
  return {
    outputShape: [...input, width],
    parameters: [weight],
    statistics: [],
    append: ({ graph, tensor }, x) => graph.gather(tensor(weight.name), x),
  };
};

export const positionEmbedding: LayerKind<PositionEmbedding> = (layer, input, place) => {
  if (input.length !== 2) throw shapeError(place, "position_embedding", input, "[places, width]");
  const weight = weightOf(layer, place, "weight", input, normal);
  return {
    outputShape: input,
    parameters: [weight],
    statistics: [],
    append: ({ graph, tensor }, x) => graph.add(x, tensor(weight.name)),
  };
};
