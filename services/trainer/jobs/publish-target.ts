import type { Loss } from "../graph/losses/loss.ts";
import type { CheckedSpec } from "./train-spec.ts";

/** Where a trained version is registered, and what its gate is told by: plain data. */
export interface PublishTarget
  extends Pick<CheckedSpec, "model" | "alias" | "gate" | "data" | "datasetSha256" | "limits"> {
  readonly loss: Loss;
}

/** That of a checked training. */
export function publishTarget({ plan, ...spec }: CheckedSpec): PublishTarget {
  const { model, alias, gate, data, datasetSha256, limits } = spec;
  return { model, alias, gate, data, datasetSha256, limits, loss: plan.loss };
}
