import { Random } from "../../../lib/random.ts";
import { drawn } from "./initializers/initializer.ts";
import type { Network } from "./network.ts";

/** The first elements of each parameter and statistic by name, drawn in their order from `Random(seed, "initialise")`. */
export function initialTensors({ parameters, statistics }: Network, seed: number): Map<string, Float32Array> {
  const random = new Random(seed, "initialise");
  return new Map(
    [...parameters, ...statistics].map(({ name, shape, initial }) => [
      name,
      initial.kind === "elements" ? initial.elements : drawn(initial, shape, random),
    ]),
  );
}
