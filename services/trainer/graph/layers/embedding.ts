import { ServiceError } from "../../../../lib/errors.ts";
import type { Initializer } from "../initializers/initializer.ts";
import { checkCount, type LayerKind, parameterOf, shapeError } from "./layer-kind.ts";

/** A vector for each token of a row, as `torch.nn.Embedding`: [places] becomes [places, width]. Only the first layer of a network. */
export interface Embedding {
  readonly kind: "embedding";
  /** Tokens are in [0, tokenCount). */
  readonly tokenCount: number;
  readonly width: number;
  readonly initialWeight?: Initializer | undefined;
}

/** A vector that is learned for each place, added to it: rows are [places, width]. */
export interface PositionEmbedding {
  readonly kind: "position_embedding";
  readonly initialWeight?: Initializer | undefined;
}

const normal = { kind: "normal" } as const;

export const embedding: LayerKind<Embedding> = ({ tokenCount, width, initialWeight }, input, place) => {
  checkCount(place, "token_count", tokenCount);
  checkCount(place, "width", width);
  if (!place.takesTokens) {
    const { field } = place;
    const message = `${field} is an embedding; needed: another layer, because only the first of a network is given tokens`;
    throw new ServiceError("SPEC_INVALID", message, { metadata: { field } });
  }
  const wanted = { field: "initial_weight", initializer: initialWeight };
  const weight = parameterOf(place, "weight", [tokenCount, width], normal, wanted);
  return {
    outputShape: [...input, width],
    parameters: [weight],
    statistics: [],
    append: ({ graph, tensor }, x) => graph.gather(tensor(weight.name), x),
  };
};

export const positionEmbedding: LayerKind<PositionEmbedding> = ({ initialWeight }, input, place) => {
  if (input.length !== 2) throw shapeError(place, "position_embedding", input, "[places, width]");
  const wanted = { field: "initial_weight", initializer: initialWeight };
  const weight = parameterOf(place, "weight", input, normal, wanted);
  return {
    outputShape: input,
    parameters: [weight],
    statistics: [],
    append: ({ graph, tensor }, x) => graph.add(x, tensor(weight.name)),
  };
};
