import type { Loss } from "../graph/losses/loss.ts";
import type { CheckedSpec } from "./train-spec.ts";

/** Where a trained version is registered, and what its gate is told by: plain data. */
export interface PublishTarget extends Pick<CheckedSpec, "model" | "alias" | "gate" | "data" | "datasetSha256"> {
  readonly loss: Loss;
}

/** That of a checked training. */
export function publishTarget({ model, alias, gate, data, datasetSha256, plan }: CheckedSpec): PublishTarget {
  return { model, alias, gate, data, datasetSha256, loss: plan.loss };
}
