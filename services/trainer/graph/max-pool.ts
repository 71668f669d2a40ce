import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Attributes, Node, Value } from "../../../lib/onnx/graph.ts";
import { intOf } from "../../../lib/onnx/operators/inference.ts";
import { kernelOf, windowsOf } from "../../../lib/onnx/operators/windows.ts";
import { product } from "../../../lib/onnx/shapes.ts";
import { geometry, tapsOf } from "./rules/convolutions.ts";
import { perChannel } from "./rules/normalization.ts";

/**
 * A MaxPool that is trained through: what the operator gives, and a gradient for the same elements, by fewer passes over many of them. A Relu
 * before it comes behind it, where there are fewer elements: the largest of what is not below 0 is what is not below 0 of the largest. A
 * Conv before it may become another one, see {@link pooledConvolution}.
 */
export function trainedMaxPool(
  graph: GraphBuilder,
  x: Value,
  attributes: Attributes,
  { isComposed = false }: { readonly isComposed?: boolean },
): Value {
  const { producer } = x;
  if (producer?.operator === "Relu")
    return graph.relu(trainedMaxPool(graph, producer.inputs[0]!, attributes, { isComposed }));
  const joined =
    producer?.operator === "Conv" && !isComposed ? pooledConvolution(graph, producer, attributes) : undefined;
  return joined ?? graph.node("MaxPool", [x], attributes);
}

/** With more channels, as of what comes from a layer before, the wider kernels take as long as they save. */
const channelsMax = 3;
/** How many more taps the wider kernels may have. */
const tapsRatioMax = 2;

/**
 * A Conv of few channels under windows that lie side by side, each of which a kernel walks over at once: for each place under the window it has
 * one as wide as all together need, with zeros around it, so that places are channels. They lie together then, and are compared without
 * being cut out one by one; and a wider kernel with strides takes less time than one that is narrow. The first of equal ones is taken, as by
 * the operator; what a bias makes equal counts as it was before. Undefined for other windows and convolutions.
 */
function pooledConvolution(graph: GraphBuilder, conv: Node, attributes: Attributes): Value | undefined {
  const { inputs, outputs, attributes: own } = conv;
  const [x, weight, bias] = inputs as readonly [Value, Value, Value | undefined];
  const [outputCount, , ...kernel] = weight.shape.map(Number) as [number, number, ...number[]];
  const windows = windowsOf(own, x.shape.slice(2), kernel);
  const pools = windowsOf(attributes, outputs[0]!.shape.slice(2), kernelOf(attributes, outputs[0]!));
  const isStepwise = windows.every(({ stride, dilation }) => stride === 1 && dilation === 1);
  const isTiled = pools.every((pool) => pool.stride === pool.kernel && pool.dilation === 1 && pool.before === 0);
  const isWhole = pools.every(({ after }) => after === 0);
  const wider = kernel.map((size, axis) => size + pools[axis]!.kernel - 1);
  const isFew = Number(x.shape[1]) <= channelsMax && product(wider) <= tapsRatioMax * product(kernel);
  if (!isStepwise || !isTiled || !isWhole || !isFew || intOf(own, "group", 1) !== 1) return undefined;
  const places = tapsOf(pools);
  const kernels = places.map((place) => {
    const after = place.map((at, axis) => pools[axis]!.kernel - 1 - at);
    return graph.node("Pad", [weight, graph.sizes([0, 0, ...place, 0, 0, ...after])]);
  });
  const strided = windows.map((window, axis) => ({ ...window, stride: pools[axis]!.stride }));
  const all = graph.node("Conv", [x, graph.concat(kernels, 0)], geometry(strided, 1));
  const each = graph.split(all, graph.sizes(places.map(() => outputCount)), 1);
  const largest = each.reduce((best, next) => graph.where(graph.greater(next, best), next, best));
  return bias === undefined ? largest : graph.add(largest, perChannel(graph, bias, largest));
}
