import type { Operator } from "../../../../lib/onnx/operators/operators.ts";
import { activationRules } from "./activations.ts";
import { arrangementRules } from "./arrangement.ts";
import { convolutionRules } from "./convolutions.ts";
import { dropoutRules } from "./dropout.ts";
import { elementwiseRules } from "./elementwise.ts";
import { indexingRules } from "./indexing.ts";
import { matrixRules } from "./matrices.ts";
import { normalizationRules } from "./normalization.ts";
import { poolingRules } from "./pooling.ts";
import { recurrentRules } from "./recurrent.ts";
import { reductionRules } from "./reductions.ts";
import { resamplingRules } from "./resampling.ts";
import type { GradientRule } from "./rule.ts";

/** Every operator of a builder: how its gradient is made, or `undefined` where there is none. */
export const gradientRules = {
  ...elementwiseRules,
  ...activationRules,
  ...matrixRules,
  ...reductionRules,
  ...arrangementRules,
  ...indexingRules,
  ...convolutionRules,
  ...poolingRules,
  ...resamplingRules,
  ...normalizationRules,
  ...recurrentRules,
  ...dropoutRules,
} as const satisfies Record<Operator, GradientRule | undefined>;
