import type { EvaluateSpec__Output } from "../../../lib/gen/amaas/trainer/v1/EvaluateSpec.ts";
import { parseArtifactName, parseVersionName } from "../../../lib/resource-names.ts";
import type { Loss } from "../graph/losses/loss.ts";
import type { CheckedData } from "./data-spec.ts";
import { checkLimits } from "./job-limits.ts";
import { rowsPerCallOf } from "./rows-per-call.ts";
import { checkServedData } from "./served-data.ts";
import { lossOf } from "./train-spec.ts";

/** A checked evaluation. */
export interface CheckedEvaluation {
  readonly datasetSha256: string;
  readonly data: CheckedData;
  readonly loss: Loss;
  /** Rows of one call of the runtime, at most. */
  readonly rowsPerCall: number;
}

/** Checks all of an evaluation that can be checked without the data; throws SPEC_INVALID or REQUEST_INVALID. */
export function checkEvaluateSpec(spec: EvaluateSpec__Output): CheckedEvaluation {
  parseVersionName(spec.version, "version");
  const datasetSha256 = parseArtifactName(spec.dataset, "dataset");
  const loss = lossOf(spec.loss, undefined);
  const targets = loss.kind === "next_token" ? "next_tokens" : "columns";
  checkLimits(spec.limits);
  return {
    datasetSha256,
    data: checkServedData(spec.data, { targets, mayDrop: true }),
    loss,
    rowsPerCall: rowsPerCallOf(spec.batchSize, 256),
  };
}
