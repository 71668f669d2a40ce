import { attributeProto } from "./export.ts";
import type { Node, ReadModel } from "./graph.ts";
import { domainOf, readGraph } from "./graph-reader.ts";
import type { AttributeProto, FunctionProto, GraphProto, NodeProto } from "./model.ts";

/** The function of a model that a node calls; undefined where its operator is none of the model's own. */
export function functionOf({ functions }: ReadModel, { operator, set, source }: Node): FunctionProto | undefined {
  const overload = source?.overload ?? "";
  return functions.find(
    (each) =>
      each.name === operator && domainOf(each.domain) === (set?.domain ?? "") && (each.overload ?? "") === overload,
  );
}

/**
 * The body of a function with the attributes of the node that calls it: a graph of the function's inputs and outputs (ONNX
 * `FunctionProto`).
 */
export function calledBody(model: ReadModel, called: FunctionProto, { inputs, attributes }: Node): ReadModel {
  const given = new Map(Object.entries(attributes).map(([name, each]) => [name, attributeProto(name, each)]));
  for (const byDefault of called.attributeProto ?? []) {
    if (!given.has(byDefault.name ?? "")) given.set(byDefault.name ?? "", byDefault);
  }
  const left = new Set(called.input?.filter((_, index) => inputs[index] === undefined));
  const graph: GraphProto = {
    name: called.name,
    node: called.node?.map((each) => bound(each, given, left)),
    input: called.input?.map((name) => ({ name })),
    output: called.output?.map((name) => ({ name })),
    valueInfo: called.valueInfo,
  };
  return readGraph({ graph, opsetImport: called.opsetImport, functions: model.functions });
}

/** A node whose attributes are those of the call, where they refer to it; attributes and inputs that the call lacks are left out. */
function bound(node: NodeProto, given: ReadonlyMap<string, AttributeProto>, left: ReadonlySet<string>): NodeProto {
  const attribute = node.attribute?.flatMap((each): readonly AttributeProto[] => {
    if (each.refAttrName) {
      const value = given.get(each.refAttrName);
      return value === undefined ? [] : [{ ...value, name: each.name }];
    }
    const inGraph = (graph: GraphProto) => ({ ...graph, node: graph.node?.map((inner) => bound(inner, given, left)) });
    if (each.g) return [{ ...each, g: inGraph(each.g) }];
    return [each.graphs ? { ...each, graphs: each.graphs.map(inGraph) } : each];
  });
  return { ...node, input: node.input?.map((name) => (left.has(name) ? "" : name)), attribute };
}
