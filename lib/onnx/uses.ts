import type { Graph, Node, Value } from "./graph.ts";

/** The graphs that a node of control flow runs. */
export function subgraphsOf({ attributes }: Node): readonly Graph[] {
  return Object.values(attributes).flatMap((attribute) => (attribute.kind === "graph" ? [attribute.value] : []));
}

/** The values that a node needs: its inputs, without those left out, and what its subgraphs use or hand on. */
export function usedBy(node: Node): readonly Value[] {
  const inputs = node.inputs.filter((input: Value | undefined) => input !== undefined);
  return [...inputs, ...subgraphsOf(node).flatMap(({ nodes, outputs }) => [...nodes.flatMap(usedBy), ...outputs])];
}
