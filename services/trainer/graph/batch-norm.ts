import { float, int } from "../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import { averaged } from "./optimizers/optimizer-kind.ts";

/**
 * BatchNormalization by the mean and variance of the batch (Ioffe and Szegedy 2015), with the running ones after it, of which `decay` is
 * kept. `inputs` are those of the operator: x, scale, bias, running mean and variance.
 *
 * The runtime writes the new running values over those that it is given, whoever else reads them; so it is given zeros of its own, and by
 * ONNX's momentum of 0 gives the mean and variance of the batch.
 */
export function trainedBatchNorm(
  graph: GraphBuilder,
  [x, scale, bias, ...running]: readonly Value[],
  epsilon: number,
  decay: number,
): { readonly y: Value; readonly running: readonly Value[] } {
  const attributes = { epsilon: float(epsilon), momentum: float(0), training_mode: int(1) };
  const overwritten = running.map((value) => graph.sub(value, value));
  const [y, mean, variance] = graph.many("BatchNormalization", [x, scale, bias, ...overwritten], attributes);
  const seen = [mean, graph.mul(variance, correction(graph, x))];
  return { y, running: seen.map((value, index) => averaged(graph, running[index], value, decay)) };
}

/** n/(n − 1), by which the variance that is estimated from n elements is larger than their own, as PyTorch has it; 1 where n is 1. */
function correction(graph: GraphBuilder, x: Value): Value {
  const count = graph.cast(graph.div(graph.size(x), graph.scalar(Number(x.shape[1]), "INT64")), x.dataType);
  const [one, others] = [graph.scalar(1, x.dataType), graph.sub(count, graph.scalar(1, x.dataType))];
  return graph.div(count, graph.node("Max", [one, others]));
}
