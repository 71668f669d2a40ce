import { activationCases } from "./activations.ts";
import { arrangementCases } from "./arrangement.ts";
import type { Cases } from "./case.ts";
import { convolutionCases } from "./convolutions.ts";
import { dropoutCases } from "./dropout.ts";
import { elementwiseCases } from "./elementwise.ts";
import { indexingCases } from "./indexing.ts";
import { matrixCases } from "./matrices.ts";
import { normalizationCases } from "./normalization.ts";
import { poolingCases } from "./pooling.ts";
import { recurrentCases } from "./recurrent.ts";
import { reductionCases } from "./reductions.ts";
import { resamplingCases } from "./resampling.ts";

/** One or more cases for each operator that has a rule. */
export const cases: Cases = {
  ...elementwiseCases,
  ...activationCases,
  ...matrixCases,
  ...reductionCases,
  ...arrangementCases,
  ...indexingCases,
  ...convolutionCases,
  ...poolingCases,
  ...resamplingCases,
  ...normalizationCases,
  ...recurrentCases,
  ...dropoutCases,
};
