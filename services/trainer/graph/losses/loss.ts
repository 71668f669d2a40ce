import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import type { Network } from "../network.ts";
import { specError } from "../spec-error.ts";
import {
  type BinaryCrossEntropy,
  binaryCrossEntropy,
  type CrossEntropy,
  crossEntropy,
  type KlDivergence,
  klDivergence,
} from "./classification.ts";
import type { LossKind, LossValues, RowName, TargetForm, Targets } from "./loss-kind.ts";
import { type NextToken, nextToken } from "./next-token.ts";
import { type Huber, huber, type MeanAbsoluteError, type MeanSquaredError, mae, mse } from "./regression.ts";

/** What training makes small. */
export type Loss =
  | MeanSquaredError
  | MeanAbsoluteError
  | Huber
  | CrossEntropy
  | BinaryCrossEntropy
  | KlDivergence
  | NextToken;

const kinds = {
  mse,
  mae,
  huber,
  cross_entropy: crossEntropy,
  binary_cross_entropy: binaryCrossEntropy,
  kl_divergence: klDivergence,
  next_token: nextToken,
} as const satisfies { [K in Loss["kind"]]: LossKind<Extract<Loss, { kind: K }>> };

/** Throws SPEC_INVALID for an unknown loss, a field out of its range, or a network that cannot feed it. */
export function checkLoss(loss: Loss, network: Network): void {
  if (!Object.hasOwn(kinds, loss.kind)) {
    throw specError("loss.kind", loss.kind, `one of ${Object.keys(kinds).join(", ")}`);
  }
  kindOf(loss).check(loss, network);
}

/** Throws DATASET_INVALID for targets of the wrong kind, width or range; names the first row at fault. */
export function checkTargets(
  loss: Loss,
  { outputShape }: Network,
  { rowCount, targets }: { readonly rowCount: number; readonly targets: Targets },
  nameOf: RowName = (row) => `row ${row}`,
): void {
  kindOf(loss).checkTargets(loss, targets, rowCount, outputShape, nameOf);
}

/** How a batch's targets are stored for `loss`. */
export function targetForm(loss: Loss, { outputShape }: Network): TargetForm {
  return kindOf(loss).targetForm(outputShape);
}

/** Appends the loss of a batch to a graph; `output` is the network's, `targets` has the shape [rows, ...rowShape] of {@link targetForm}. */
export function lossValues(graph: GraphBuilder, loss: Loss, output: Value, targets: Value): LossValues {
  return kindOf(loss).values(loss, graph, output, targets);
}

/** The table's entry, its loss type widened: the caller hands it the loss it was looked up with. */
function kindOf({ kind }: Loss): LossKind<Loss> {
  return kinds[kind] as unknown as LossKind<Loss>;
}
