import { activationCases } from "./activations.ts";
import { arrangementCases } from "./arrangement.ts";
import type { Cases } from "./case.ts";
import { elementwiseCases } from "./elementwise.ts";
import { indexingCases } from "./indexing.ts";
import { matrixCases } from "./matrices.ts";
import { reductionCases } from "./reductions.ts";

/** One or more cases for each operator that has a rule. */
export const cases: Cases = {
  ...elementwiseCases,
  ...activationCases,
  ...matrixCases,
  ...reductionCases,
  ...arrangementCases,
  ...indexingCases,
};
