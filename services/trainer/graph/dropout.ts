import { string } from "../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Value } from "../../../lib/onnx/graph.ts";

/** Which random numbers a mask is made of: the same key gives the same mask. */
export interface DropoutKey {
  /** Of the job, in [0, 2^32). */
  readonly seed: number;
  /** Of this dropout among those of the network, so that no two have one mask. */
  readonly index: number;
  /** INT64 scalar: how many steps were taken before. */
  readonly step: Value;
}

/**
 * Dropout (Srivastava et al. 2014), inverted as in PyTorch: each element of `x` is 0 with the probability `ratio` in [0, 1), and else divided by
 * `1 − ratio`.
 *
 * ONNX's own Dropout draws from a stream that lives as long as its session: a run that goes on from a checkpoint would draw other numbers.
 * Here the mask is a hash of the element's place, the step and the seed (lowbias32, Wellons 2018, applied to each in turn), which is the same
 * on every device and in every call.
 */
export function dropout(graph: GraphBuilder, x: Value, ratio: number, { seed, index, step }: DropoutKey): Value {
  const word = (number: number) => graph.scalar(number, "UINT32");
  const stepKey = hashed(graph, graph.node("BitwiseXor", [graph.cast(step, "UINT32"), hashed(graph, word(seed))]));
  const key = hashed(graph, graph.node("BitwiseXor", [stepKey, word(index)]));
  const range = graph.node("Range", [graph.scalar(0, "INT64"), graph.size(x), graph.scalar(1, "INT64")]);
  const places = graph.shaped(graph.cast(range, "UINT32"), graph.shapeOf(x));
  const drawn = hashed(graph, graph.node("BitwiseXor", [places, key]));
  // The first 24 bits: as many as a FP32 holds.
  const limit = word(Math.round(ratio * 2 ** 24));
  const kept = graph.node("GreaterOrEqual", [graph.node("BitShift", [drawn, word(8)], right), limit]);
  const scaled = graph.mul(x, graph.scalar(1 / (1 - ratio), x.dataType));
  return graph.where(kept, scaled, graph.scalar(0, x.dataType));
}

const right = { direction: string("RIGHT") };

function hashed(graph: GraphBuilder, x: Value): Value {
  const shifted = (value: Value, bits: number) =>
    graph.node("BitwiseXor", [value, graph.node("BitShift", [value, graph.scalar(bits, "UINT32")], right)]);
  const times = (value: Value, factor: number) => graph.mul(value, graph.scalar(factor, "UINT32"));
  return shifted(times(shifted(times(shifted(x, 16), 0x7feb352d), 15), 0x846ca68b), 16);
}
