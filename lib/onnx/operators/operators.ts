import type { Attributes, Value } from "../graph.ts";
import { activationOperators } from "./activations.ts";
import { arrangementOperators } from "./arrangement.ts";
import { convolutionOperators } from "./convolutions.ts";
import { dropoutOperators } from "./dropout.ts";
import { elementwiseOperators } from "./elementwise.ts";
import { indexingOperators } from "./indexing.ts";
import type { Inference, ValueType } from "./inference.ts";
import { checkInputCount } from "./input-counts.ts";
import { matrixOperators } from "./matrices.ts";
import { normalizationOperators } from "./normalization.ts";
import { poolingOperators } from "./pooling.ts";
import { recurrentOperators } from "./recurrent.ts";
import { reductionOperators } from "./reductions.ts";
import { resamplingOperators } from "./resampling.ts";

/**
 * The operators that a builder can append (ONNX opset 18) and the types of what each gives. Operators whose outputs depend on
 * subgraphs (Loop) are typed where they are built.
 */
export const operators = {
  ...elementwiseOperators,
  ...activationOperators,
  ...matrixOperators,
  ...reductionOperators,
  ...arrangementOperators,
  ...indexingOperators,
  ...convolutionOperators,
  ...poolingOperators,
  ...resamplingOperators,
  ...normalizationOperators,
  ...recurrentOperators,
  ...dropoutOperators,
} as const satisfies Record<string, Inference>;

export type Operator = keyof typeof operators;

/** The types of a node's outputs; fails, with the reason, on inputs and attributes that the operator cannot take. */
export function outputTypes(
  operator: Operator,
  inputs: readonly Value[],
  attributes: Attributes,
): readonly ValueType[] {
  checkInputCount(operator, inputs);
  return operators[operator](inputs, attributes);
}
