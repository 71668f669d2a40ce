import type { Graph, Node, Value } from "../../../lib/onnx/graph.ts";
import { floatOf, stringOf } from "../../../lib/onnx/operators/inference.ts";
import { withSubgraphs } from "../../../lib/onnx/uses.ts";

/**
 * A graph in which each Gelu and its gradient share Φ(x), in its subgraphs too: what the gradient makes it of comes before the Gelu, which
 * is x·Φ(x) then. Two passes over all elements are saved, one of them that of erf.
 */
export function withSharedAreas(graph: Graph): Graph {
  const own = new Set(graph.nodes);
  const areas = new Map(graph.nodes.flatMap(areaBehind).filter(([, parts]) => parts.every((part) => own.has(part))));
  const ordered = new Set<Node>();
  for (const node of graph.nodes) {
    const [x] = node.inputs;
    const parts = isGelu(node) ? areas.get(x!) : undefined;
    if (parts === undefined) ordered.add(withSharedInside(node));
    else for (const part of [...parts, productOf(node, x!, parts.at(-1)!.outputs[0]!)]) ordered.add(part);
  }
  return { ...graph, nodes: [...ordered] };
}

/** The node itself where it has no subgraphs. */
function withSharedInside(node: Node): Node {
  const attributes = withSubgraphs(node.attributes, withSharedAreas);
  return attributes === node.attributes ? node : { ...node, attributes };
}

function productOf(gelu: Node, x: Value, area: Value): Node {
  return { ...gelu, operator: "Mul", inputs: [x, area], attributes: {} };
}

function isGelu({ operator, set, attributes }: Node): boolean {
  return operator === "Gelu" && set === undefined && stringOf(attributes, "approximate", "none") === "none";
}

/** Of a node that gives Φ(x) as ½ + ½·erf(x/√2): x, and the nodes that make it. */
function areaBehind(node: Node): readonly (readonly [Value, readonly Node[]])[] {
  const { operator, inputs, attributes } = node;
  const isHalved = ["alpha", "beta"].every((name) => floatOf(attributes, name, 0) === 0.5);
  const erf = operator === "HardSigmoid" && isHalved ? inputs[0]!.producer : undefined;
  const scaled = erf?.operator === "Erf" ? erf.inputs[0]!.producer : undefined;
  const [x, factor] = scaled?.operator === "Mul" ? scaled.inputs : [];
  const isRoot =
    factor?.elements?.length === 1 && Math.fround(Number(factor.elements[0])) === Math.fround(Math.SQRT1_2);
  return isRoot ? [[x!, [scaled!, erf!, node]]] : [];
}
