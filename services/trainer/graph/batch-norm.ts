import { float, int } from "../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import { averaged } from "./optimizers/optimizer-kind.ts";

/** What comes out, and the running mean and variance afterwards. */
interface TrainedBatchNorm {
  readonly y: Value;
  readonly running: readonly Value[];
}

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
): TrainedBatchNorm {
  const attributes = { epsilon: float(epsilon), momentum: float(0), training_mode: int(1) };
  const overwritten = running.map((value) => graph.sub(value, value));
  const [y, mean, variance] = graph.many("BatchNormalization", [x, scale, bias, ...overwritten], attributes);
  return { y, running: after(graph, x, [mean, variance], running, decay) };
}

/** As {@link trainedBatchNorm}, in the steps that its operator consists of: WebGPU has none for training (onnxruntime-node 1.30). */
export function composedBatchNorm(
  graph: GraphBuilder,
  [x, scale, bias, ...running]: readonly Value[],
  epsilon: number,
  decay: number,
): TrainedBatchNorm {
  const axes = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const perChannel = (value: Value) =>
    graph.unsqueeze(
      value,
      [...x.shape.keys()].slice(2).map((axis) => axis - 1),
    );
  const mean = graph.reduceMean(x, axes);
  const centred = graph.sub(x, perChannel(mean));
  const variance = graph.reduceMean(graph.mul(centred, centred), axes);
  const deviation = graph.sqrt(graph.add(variance, graph.scalar(epsilon, x.dataType)));
  const y = graph.add(graph.mul(centred, perChannel(graph.div(scale, deviation))), perChannel(bias));
  return { y, running: after(graph, x, [mean, variance], running, decay) };
}

/** The running mean and variance after a batch of which these are. */
function after(
  graph: GraphBuilder,
  x: Value,
  [mean, variance]: readonly [Value, Value],
  running: readonly Value[],
  decay: number,
): readonly Value[] {
  const seen = [mean, graph.mul(variance, correction(graph, x))];
  return seen.map((value, index) => averaged(graph, running[index], value, decay));
}

/** n/(n − 1), by which the variance that is estimated from n elements is larger than their own, as PyTorch has it; 1 where n is 1. */
function correction(graph: GraphBuilder, x: Value): Value {
  const count = graph.cast(graph.div(graph.size(x), graph.scalar(Number(x.shape[1]), "INT64")), x.dataType);
  const [one, others] = [graph.scalar(1, x.dataType), graph.sub(count, graph.scalar(1, x.dataType))];
  return graph.div(count, graph.node("Max", [one, others]));
}
