import { checkInitializer, type Initializer } from "../initializers/initializer.ts";
import type { Parameter } from "../network.ts";
import type { Place } from "./layer-kind.ts";

/** What the weights of a layer begin with; as in PyTorch by default. */
export interface FirstWeights {
  readonly initialWeight?: Initializer | undefined;
}

/** What its weights and biases begin with. */
export interface FirstElements extends FirstWeights {
  readonly initialBias?: Initializer | undefined;
}

/** A weight of a layer. Throws SPEC_INVALID for an initializer that cannot be. */
export function weightOf(
  { initialWeight }: FirstWeights,
  place: Place,
  name: string,
  shape: readonly number[],
  byDefault: Initializer,
): Parameter {
  if (initialWeight !== undefined) checkInitializer(initialWeight, `${place.field}.initial_weight`, shape);
  return { name: `${place.name}.${name}`, shape, initial: initialWeight ?? byDefault };
}

/** A bias of a layer. Throws SPEC_INVALID for an initializer that cannot be. */
export function biasOf(
  { initialBias }: FirstElements,
  place: Place,
  name: string,
  shape: readonly number[],
  byDefault: Initializer,
): Parameter {
  if (initialBias !== undefined) checkInitializer(initialBias, `${place.field}.initial_bias`, shape);
  return { name: `${place.name}.${name}`, shape, initial: initialBias ?? byDefault };
}

/** ±1/√fan, in which PyTorch draws the weights and biases of most layers (Kaiming uniform with a = √5, after He et al. 2015). */
export function evenlyByFan(fan: number): Initializer {
  const bound = 1 / Math.sqrt(fan);
  return { kind: "uniform", low: -bound, high: bound };
}
