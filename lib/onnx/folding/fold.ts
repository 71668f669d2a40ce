import type { Attributes, Elements, Value } from "../graph.ts";

/** A value whose elements are known before the graph runs. */
export interface Constant {
  readonly dataType: Value["dataType"];
  readonly shape: readonly number[];
  readonly elements: Elements;
}

/** What is known of a result before its elements are. */
export type ConstantType = Omit<Constant, "elements">;

/**
 * What an operator gives for constants, to the last bit what the runtime would give; undefined where it is not worked out here. An input
 * that is left out is undefined.
 */
export type Fold = (inputs: readonly Constant[], attributes: Attributes, type: ConstantType) => Elements | undefined;
