import { product } from "../../../lib/onnx/shapes.ts";
import { Random } from "../../../lib/random.ts";
import type { Initial, Network } from "./network.ts";

/** The first elements of each parameter and statistic by name, drawn in their order from `Random(seed, "initialise")`. */
export function initialTensors({ parameters, statistics }: Network, seed: number): Map<string, Float32Array> {
  const random = new Random(seed, "initialise");
  return new Map(
    [...parameters, ...statistics].map(({ name, shape, initial }) => [name, drawn(initial, product(shape), random)]),
  );
}

function drawn(initial: Initial, length: number, random: Random): Float32Array {
  switch (initial.kind) {
    case "uniform":
      return Float32Array.from({ length }, () => initial.bound * (2 * random.uniform() - 1));
    case "constant":
      return new Float32Array(length).fill(initial.value);
    case "elements":
      return initial.elements;
  }
}
