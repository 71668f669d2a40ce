import { activationOperators } from "./activations.ts";
import { arrangementOperators } from "./arrangement.ts";
import { convolutionOperators } from "./convolutions.ts";
import { dropoutOperators } from "./dropout.ts";
import { elementwiseOperators } from "./elementwise.ts";
import { indexingOperators } from "./indexing.ts";
import type { Inference } from "./inference.ts";
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
