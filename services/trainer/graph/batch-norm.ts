import { float, int } from "../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import { averaged } from "./optimizers/optimizer-kind.ts";
import { perChannel } from "./rules/normalization.ts";

/** What comes out, and the running mean and variance afterwards. */
interface TrainedBatchNorm {
  readonly y: Value;
  readonly running: readonly Value[];
}

/**
 * BatchNormalization by the mean and variance of the batch (Ioffe and Szegedy 2015), with the running ones after it, of which `decay` is
 * kept. `inputs` are those of the operator: x, scale, bias, running mean and variance.
 */
export function trainedBatchNorm(
  graph: GraphBuilder,
  [x, scale, bias, ...running]: readonly Value[],
  epsilon: number,
  decay: number,
  { isComposed = false }: { readonly isComposed?: boolean },
): TrainedBatchNorm {
  const normalized = isComposed ? inSteps : byOperator;
  const [y, mean, variance] = normalized(graph, [x, scale, bias, ...running], epsilon) as readonly [
    Value,
    Value,
    Value,
  ];
  const seen = [mean, graph.mul(variance, correction(graph, x))];
  return { y, running: seen.map((value, index) => averaged(graph, running[index], value, decay)) };
}

/**
 * What comes out, and the mean and variance of the batch. The runtime writes the new running values over those that it is given, whoever else
 * reads them; so it is given zeros of its own, and by ONNX's momentum of 0 gives those of the batch.
 */
function byOperator(graph: GraphBuilder, [x, scale, bias, ...running]: readonly Value[], epsilon: number) {
  const attributes = { epsilon: float(epsilon), momentum: float(0), training_mode: int(1) };
  const overwritten = running.map((value) => graph.sub(value, value));
  return graph.many("BatchNormalization", [x, scale, bias, ...overwritten], attributes);
}

/** As {@link byOperator}, in its single steps: WebGPU has no such operator for training (onnxruntime-node 1.30). */
function inSteps(graph: GraphBuilder, [x, scale, bias]: readonly Value[], epsilon: number): readonly Value[] {
  const axes = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const mean = graph.reduceMean(x, axes);
  const centred = graph.sub(x, perChannel(graph, mean, x));
  const variance = graph.reduceMean(graph.mul(centred, centred), axes);
  const deviation = graph.sqrt(graph.add(variance, graph.scalar(epsilon, x.dataType)));
  const scaled = graph.mul(centred, perChannel(graph, graph.div(scale, deviation), x));
  return [graph.add(scaled, perChannel(graph, bias, x)), mean, variance];
}

/** n/(n − 1), by which the variance that is estimated from n elements is larger than their own, as PyTorch has it; 1 where n is 1. */
function correction(graph: GraphBuilder, x: Value): Value {
  const count = graph.cast(graph.div(graph.size(x), graph.scalar(Number(x.shape[1]), "INT64")), x.dataType);
  const [one, others] = [graph.scalar(1, x.dataType), graph.sub(count, graph.scalar(1, x.dataType))];
  return graph.div(count, graph.node("Max", [one, others]));
}
