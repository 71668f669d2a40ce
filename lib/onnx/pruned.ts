import type { Graph, Node, Value } from "./graph.ts";
import { usedBy, withSubgraphs } from "./uses.ts";

/**
 * A graph without the nodes and initializers that no output needs, in its subgraphs too. Inputs, outputs and the order of what is left stay.
 *
 * A node of control flow is needed whole: all values that a subgraph hands on are.
 */
export function pruned(graph: Graph): Graph {
  const needed = new Set<Value>(graph.outputs);
  const nodes: Node[] = [];
  for (const node of graph.nodes.map(withPrunedSubgraphs).reverse()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    nodes.push(node);
    for (const value of usedBy(node)) needed.add(value);
  }
  const initializers = graph.initializers.filter((initializer) => needed.has(initializer));
  return { ...graph, initializers, nodes: nodes.reverse() };
}

/** The node itself where it has none. Its outputs keep the node that they came from as their producer. */
function withPrunedSubgraphs(node: Node): Node {
  const attributes = withSubgraphs(node.attributes, pruned);
  return attributes === node.attributes ? node : { ...node, attributes };
}
