import { ServiceError } from "../../../../lib/errors.ts";
import { specError } from "../spec-error.ts";
import { crossEntropy } from "./classification.ts";
import type { LossKind } from "./loss-kind.ts";

/**
 * The mean over rows and places of `−log p(token behind it)`, in nats, of a network that takes tokens and gives scores at each place. The
 * targets are the tokens themselves, moved up by one.
 */
export interface NextToken {
  readonly kind: "next_token";
}

const ofClasses = { kind: "cross_entropy" } as const;

export const nextToken: LossKind<NextToken> = {
  check(_, { input, outputShape }) {
    if (input.dataType !== "INT32")
      throw specError("the network's input", "numbers", "tokens, for the loss next_token");
    const [seen, needed] = [outputShape, [...input.rowShape, input.tokenCount]].map((shape) => `[${shape.join(", ")}]`);
    if (seen !== needed) {
      throw specError("the network's output", `rows of ${seen}`, `${needed}, a score for each token at each place`);
    }
    crossEntropy.check(ofClasses, { input, outputShape });
  },
  checkTargets(_, targets, rowCount, outputShape, nameOf) {
    const [places, tokenCount] = outputShape as readonly [number, number];
    const index = targets.findIndex((token) => token < 0 || token >= tokenCount);
    if (index >= 0) {
      // The target of a place is the token behind it.
      const place = `token ${(index % places) + 1} of ${nameOf(Math.floor(index / places))}`;
      throw new ServiceError("DATASET_INVALID", `${place} is ${targets[index]}; needed: one in [0, ${tokenCount - 1}]`);
    }
    crossEntropy.checkTargets(ofClasses, targets, rowCount, outputShape, nameOf);
  },
  targetForm: crossEntropy.targetForm,
  values: (_, graph, output, targets) => crossEntropy.values(ofClasses, graph, output, targets),
};
