import { Random } from "../../../lib/random.ts";
import type { Network } from "./layers.ts";

/**
 * Initial weights by parameter name, as PyTorch draws those of `Linear`: uniform in ±1/√fanIn for weights (Kaiming
 * uniform with a = √5, after He et al. 2015) and biases. Drawn in parameter order from `Random(seed, "initialise")`.
 */
export function initialWeights(network: Network, seed: number): Map<string, Float32Array> {
  const random = new Random(seed, "initialise");
  return new Map(
    network.parameters.map(({ name, shape, fanIn }) => {
      const bound = 1 / Math.sqrt(fanIn);
      const length = shape.reduce((product, size) => product * size, 1);
      return [name, Float32Array.from({ length }, () => bound * (2 * random.uniform() - 1))];
    }),
  );
}
