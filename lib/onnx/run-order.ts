import type { Graph, Node, Value } from "./graph.ts";
import { usedBy } from "./uses.ts";

/**
 * The nodes in the order in which ONNX Runtime runs them one by one: depth first from the nodes that no other uses, from the last of
 * them to the first, and of a node's inputs the latest first (`GraphViewer`, `ExecutionOrder::DEFAULT`).
 */
export function runOrder({ nodes }: Graph): readonly Node[] {
  const indices = new Map(nodes.map((node, index) => [node, index]));
  const makers = new Map<Value, number>(
    nodes.flatMap((node, index) => node.outputs.map((output) => [output, index] as const)),
  );
  const needed = nodes.map((node) => {
    const before = usedBy(node).flatMap((value) => makers.get(value) ?? []);
    return [...new Set(before)].sort((a, b) => a - b);
  });
  const used = new Set(needed.flat());
  const stack = [...indices.values()].filter((index) => !used.has(index)).map((index) => ({ index, isDone: false }));
  const [seen, order] = [new Set<number>(), [] as Node[]];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { index, isDone } = next;
    if (isDone) order.push(nodes[index]);
    if (isDone || seen.has(index)) continue;
    seen.add(index);
    stack.push({ index, isDone: true }, ...needed[index].map((before) => ({ index: before, isDone: false })));
  }
  return order;
}
