import { arrangementCases } from "./arrangement.ts";
import type { Cases } from "./case.ts";
import { elementwiseCases } from "./elementwise.ts";
import { matrixCases } from "./matrices.ts";
import { reductionCases } from "./reductions.ts";

/** One or more cases for each operator that has a rule. */
export const cases: Cases = { ...elementwiseCases, ...matrixCases, ...reductionCases, ...arrangementCases };
