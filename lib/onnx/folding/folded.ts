import type { Attributes, Elements, Value } from "../graph.ts";
import type { ValueType } from "../operators/inference.ts";
import { arithmeticFolds } from "./arithmetic.ts";
import { arrangementFolds } from "./arrangement.ts";
import { castElements } from "./cast.ts";
import type { Constant, Fold } from "./fold.ts";

/** Larger results are left to the runtime: they would make the file large, and a runtime folds too. */
const foldedElementsMax = 4096;

const folds: Readonly<Record<string, Fold>> = {
  ...arithmeticFolds,
  ...arrangementFolds,
  Cast: ([x], _attributes, { dataType }) => castElements(x!, dataType),
};

/** The elements of a node's only output, where they follow from what is known when the graph is built. */
export function foldedElements(
  operator: string,
  inputs: readonly (Value | undefined)[],
  attributes: Attributes,
  { dataType, shape, sizes }: ValueType,
): Elements | undefined {
  const areSizesKnown = dataType === "INT64" && sizes?.every((size) => typeof size === "number");
  if (areSizesKnown) return BigInt64Array.from(sizes, BigInt);
  const areKnown = inputs.every((input) => input === undefined || input.elements !== undefined);
  if (!areKnown || !Object.hasOwn(folds, operator)) return undefined;
  const count = shape.reduce<number>((product, size) => product * Number(size), 1);
  // Not a number where a size has only a name.
  if (!(count <= foldedElementsMax)) return undefined;
  return folds[operator]!(inputs as readonly Constant[], attributes, { dataType, shape: shape as readonly number[] });
}
