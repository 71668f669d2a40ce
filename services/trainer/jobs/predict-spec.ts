import type { PredictSpec__Output } from "../../../lib/gen/amaas/trainer/v1/PredictSpec.ts";
import { parseAliasName, parseArtifactName, parseModelName, parseVersionName } from "../../../lib/resource-names.ts";
import type { PredictionFormat } from "../datasets/predictions/prediction-files.ts";
import { specError } from "../graph/spec-error.ts";
import type { CheckedData } from "./data-spec.ts";
import { checkLimits } from "./job-limits.ts";
import { rowsPerCallOf } from "./rows-per-call.ts";
import { checkServedData } from "./served-data.ts";

/** A checked batch inference. */
export interface CheckedPrediction {
  /** "models/{model}/versions/{number}", or an alias's name, whose version is fixed when the job begins. */
  readonly target: { readonly version: string } | { readonly alias: string };
  readonly datasetSha256: string;
  readonly data: CheckedData;
  readonly rowsPerCall: number;
  readonly parallelCalls: number;
  readonly format: PredictionFormat;
}

/** Checks all of a batch inference that can be checked without the data; throws SPEC_INVALID or REQUEST_INVALID. */
export function checkPredictSpec(spec: PredictSpec__Output): CheckedPrediction {
  const { parallelCalls, batchSize } = spec;
  checkLimits(spec.limits);
  if (!(parallelCalls >= 0 && parallelCalls <= parallelCallsMax)) {
    throw specError("parallel_calls", parallelCalls, `a whole number in [1, ${parallelCallsMax}]`);
  }
  return {
    target: targetOf(spec.target),
    datasetSha256: parseArtifactName(spec.dataset, "dataset"),
    data: checkServedData(spec.data, { targets: "none", mayDrop: false }),
    rowsPerCall: rowsPerCallOf(batchSize, 64),
    parallelCalls: parallelCalls || 4,
    format: spec.outputFormat === "OUTPUT_FORMAT_CSV" ? "csv" : "parquet",
  };
}

const parallelCallsMax = 256;

function targetOf(target: string): CheckedPrediction["target"] {
  if (target.includes("/versions/")) {
    parseVersionName(target, "target");
    return { version: target };
  }
  if (target.includes("/aliases/")) {
    parseAliasName(target, "target");
    return { alias: target };
  }
  return { alias: `models/${parseModelName(target, "target")}/aliases/default` };
}
