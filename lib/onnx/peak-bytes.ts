import { elementBytes } from "../tensor.ts";
import { productOf, sizeAt } from "./dimensions.ts";
import type { Graph, Node, Value } from "./graph.ts";
import { runOrder } from "./run-order.ts";
import { subgraphsOf, usedBy } from "./uses.ts";

/** The numbers that named sizes have in a run. */
export type Sizes = ReadonlyMap<string, number>;

/**
 * The most bytes that the values of a graph's nodes take at once while it runs, one node after the other: a value takes memory from its
 * node on to the last one that uses it, and an output of the graph to the end. Not counted are inputs and initializers, what a kernel
 * takes for itself, and values of which a size depends on what others hold.
 *
 * As in ONNX Runtime, an operator that shows its input's elements in another shape takes no memory, and one that works element by
 * element writes over an operand of its size that nothing else needs.
 */
export function peakBytes(graph: Graph, sizes: Sizes): number {
  const order = runOrder(graph);
  const uses = useCounts(graph);
  const buffers = new Map<Value, Buffer>();
  let [held, peak] = [0, 0];
  const release = (value: Value, count: number) => {
    const buffer = buffers.get(value);
    if (buffer === undefined) return;
    buffer.useCount -= count;
    if (buffer.useCount > 0) return;
    held -= buffer.bytes;
    buffer.bytes = 0;
  };
  for (const node of order) {
    for (const [index, output] of node.outputs.entries()) {
      const bytes = bytesOf(output, sizes);
      const buffer = (index === 0 && sharedBuffer(node, bytes, buffers)) || { bytes, useCount: 0 };
      if (buffer.useCount === 0) held += buffer.bytes;
      buffer.useCount += uses.get(output) ?? 0;
      buffers.set(output, buffer);
    }
    peak = Math.max(peak, held + innerBytes(node, sizes));
    for (const value of usedBy(node)) release(value, 1);
    for (const output of node.outputs) release(output, 0);
  }
  return peak;
}

function bytesOf({ dataType, shape }: Value, sizes: Sizes): number {
  const each = dataType === "UNKNOWN" ? undefined : elementBytes[dataType];
  return (sizeAt(productOf(shape), sizes) ?? 0) * (each ?? 0);
}

/** Memory that one value has, or several share, and how often they will still be used. */
interface Buffer {
  bytes: number;
  useCount: number;
}

/** Operators that give their first input's elements in another shape. */
const views = new Set(["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"]);

/** Operators that may write over an operand. */
const inPlace = new Set([
  ...["Add", "Sub", "Mul", "Div", "Neg", "Abs", "Sqrt", "Exp", "Log", "Reciprocal", "Relu", "Sigmoid", "Tanh"],
  ...["Softmax", "LogSoftmax", "Clip", "Erf", "Cast", "ScatterElements", "ScatterND"],
]);

/** The buffer that a node's first output, of so many bytes, shares with one of its inputs. */
function sharedBuffer(node: Node, bytes: number, buffers: ReadonlyMap<Value, Buffer>): Buffer | undefined {
  if (views.has(node.operator)) return buffers.get(node.inputs[0]) ?? { bytes: 0, useCount: 0 };
  if (!inPlace.has(node.operator)) return undefined;
  return node.inputs
    .map((operand: Value | undefined) => operand && buffers.get(operand))
    .find((buffer) => buffer?.useCount === 1 && buffer.bytes === bytes);
}

/** What a node's subgraphs take: a Loop also holds what each iteration gave until all are joined. */
function innerBytes(node: Node, sizes: Sizes): number {
  const subgraphs = subgraphsOf(node);
  if (subgraphs.length === 0) return 0;
  const joined = node.outputs.slice(node.inputs.length - 2).reduce((sum, output) => sum + bytesOf(output, sizes), 0);
  return joined + subgraphs.reduce((sum, subgraph) => sum + peakBytes(subgraph, sizes), 0);
}

/** How often each value is used by nodes, and once more for an output of the graph, which is never done with. */
function useCounts({ nodes, outputs }: Graph): ReadonlyMap<Value, number> {
  const counts = new Map<Value, number>();
  for (const value of [...nodes.flatMap(usedBy), ...outputs]) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
