import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import { specError } from "../spec-error.ts";
import { checkNumbers, type LossKind } from "./loss-kind.ts";

/** The mean of `(output − target)²` over all rows and outputs, as `torch.nn.MSELoss`. */
export interface MeanSquaredError {
  readonly kind: "mse";
}

/** The mean of `|output − target|`, as `torch.nn.L1Loss`. */
export interface MeanAbsoluteError {
  readonly kind: "mae";
}

/** The mean of `½e²` where `|e| ≤ δ`, and of `δ(|e| − ½δ)` elsewhere (Huber 1964), as `torch.nn.HuberLoss`. */
export interface Huber {
  readonly kind: "huber";
  /** δ, above 0; 1 by default. */
  readonly delta?: number | undefined;
}

/** A loss that is the mean over rows and outputs of some function of the error. */
function ofError<L extends { readonly kind: string }>(
  kind: L["kind"],
  of: (loss: L, graph: GraphBuilder, error: Value) => Value,
): LossKind<L> {
  return {
    check: () => undefined,
    checkTargets: (_, targets, rowCount, outputShape) => checkNumbers(kind, targets, rowCount, outputShape),
    targetForm: (outputShape) => ({ dataType: "FP32", rowShape: outputShape }),
    values: (loss, graph, output, targets) => ({
      mean: graph.reduceMean(of(loss, graph, graph.sub(output, targets))),
      scores: output,
    }),
  };
}

export const mse = ofError<MeanSquaredError>("mse", (_, graph, error) => graph.mul(error, error));

export const mae = ofError<MeanAbsoluteError>("mae", (_, graph, error) => graph.node("Abs", [error]));

export const huber: LossKind<Huber> = {
  ...ofError<Huber>("huber", ({ delta = 1 }, graph, error) => {
    const number = (value: number) => graph.scalar(value, error.dataType);
    const size = graph.node("Abs", [error]);
    // ½ min(|e|, δ)² + δ (|e| − min(|e|, δ)), without a branch.
    const near = graph.node("Min", [size, number(delta)]);
    return graph.add(graph.mul(number(0.5), graph.mul(near, near)), graph.mul(number(delta), graph.sub(size, near)));
  }),
  check({ delta = 1 }) {
    if (!(delta > 0 && delta < Infinity)) throw specError("loss.delta", delta, "a finite number above 0");
  },
};
