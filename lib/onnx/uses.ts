import type { Attribute, Attributes, Graph, Node, Value } from "./graph.ts";

/** The graphs that a node of control flow runs. */
export function subgraphsOf({ attributes }: Node): readonly Graph[] {
  return Object.values(attributes).flatMap((attribute) => {
    if (attribute.kind === "graph") return [attribute.value];
    return attribute.kind === "graphs" ? attribute.value : [];
  });
}

/** Attributes with each graph in them replaced; the same object where there is none. */
export function withSubgraphs(attributes: Attributes, replaced: (graph: Graph) => Graph): Attributes {
  const entries = Object.entries(attributes);
  if (entries.every(([, { kind }]) => kind !== "graph" && kind !== "graphs")) return attributes;
  const replacedIn = (attribute: Attribute): Attribute => {
    if (attribute.kind === "graph") return { ...attribute, value: replaced(attribute.value) };
    return attribute.kind === "graphs" ? { ...attribute, value: attribute.value.map(replaced) } : attribute;
  };
  return Object.fromEntries(entries.map(([name, attribute]) => [name, replacedIn(attribute)]));
}

/** The values that a node needs: its inputs, without those left out, and what its subgraphs use or hand on. */
export function usedBy(node: Node): readonly Value[] {
  const inputs = node.inputs.filter((input: Value | undefined) => input !== undefined);
  return [...inputs, ...subgraphsOf(node).flatMap(({ nodes, outputs }) => [...nodes.flatMap(usedBy), ...outputs])];
}
