import type { DataType, Signature, Tensor } from "../tensor.ts";
import { elementTypes } from "./element-type.ts";
import type { AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto } from "./model.ts";

/** Whether a model takes or gives BF16. */
export function hasBfloat16({ inputs, outputs }: Signature): boolean {
  return [...inputs, ...outputs].some(({ dataType }) => dataType === "BF16");
}

/**
 * The same model with FP32 in the place of every BF16 input and output, and casts inside: the runtime's binding has no BF16
 * tensors. Every value but a NaN goes through both casts bit for bit; a NaN stays one.
 */
export function withoutBfloat16(model: ModelProto): ModelProto {
  const graph = model.graph ?? {};
  const taken = namesIn(graph);
  const inner = new Map<string, string>();
  const innerNameOf = (name: string) => {
    let free = `${name}/bf16`;
    while (taken.has(free)) free += "_";
    taken.add(free);
    inner.set(name, free);
    return free;
  };
  const constants = new Set(graph.initializer?.map(({ name }) => name));
  // Older files list every initializer among the inputs.
  const isTaken = (info: ValueInfoProto) => isBfloat16(info) && !constants.has(info.name);
  const inputs = (graph.input ?? []).filter(isTaken).map(({ name = "" }) => name);
  const outputs = (graph.output ?? []).filter(isBfloat16).map(({ name = "" }) => name);
  const before = inputs.map((name) => castNode(name, innerNameOf(name), "BF16"));
  // What is an input too is given back as it came.
  const after = outputs
    .filter((name) => !inputs.includes(name))
    .map((name) => castNode(innerNameOf(name), name, "FP32"));
  const node = [...before, ...(graph.node ?? []).map((each) => renamedNode(each, inner)), ...after];
  const renamed = <Named extends { readonly name?: string }>(named: Named): Named => {
    const name = inner.get(named.name ?? "");
    return name === undefined ? named : { ...named, name };
  };
  return {
    ...model,
    graph: {
      ...graph,
      node,
      initializer: graph.initializer?.map(renamed),
      input: graph.input?.map((info) =>
        isTaken(info) ? asFloat(info) : constants.has(info.name) ? renamed(info) : info,
      ),
      output: graph.output?.map((info) => (isBfloat16(info) ? asFloat(info) : info)),
    },
  };
}

/** A BF16 tensor as FP32, which holds each of its values; all others as they are. */
export function widened(tensor: Tensor): Tensor {
  if (tensor.dataType !== "BF16") return tensor;
  const count = tensor.bytes.byteLength / 2;
  const from = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.byteLength);
  const wide = new Uint32Array(count);
  for (let index = 0; index < count; index++) wide[index] = from.getUint16(index * 2, true) << 16;
  return { ...tensor, dataType: "FP32", bytes: new Uint8Array(wide.buffer) };
}

/** An FP32 tensor whose values are all BF16 ones, as BF16. */
export function narrowed(tensor: Tensor): Tensor {
  const count = tensor.bytes.byteLength / 4;
  const from = new DataView(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.bytes.byteLength);
  const narrow = new Uint16Array(count);
  for (let index = 0; index < count; index++) narrow[index] = from.getUint16(index * 4 + 2, true);
  return { ...tensor, dataType: "BF16", bytes: new Uint8Array(narrow.buffer) };
}

function isBfloat16({ type }: ValueInfoProto): boolean {
  return type?.tensorType?.elemType === elementTypes.BF16;
}

function asFloat(info: ValueInfoProto): ValueInfoProto {
  return { ...info, type: { ...info.type, tensorType: { ...info.type?.tensorType, elemType: elementTypes.FP32 } } };
}

function castNode(from: string, to: string, dataType: DataType): NodeProto {
  return {
    name: `${to}/cast`,
    opType: "Cast",
    input: [from],
    output: [to],
    attribute: [{ name: "to", type: 2, i: elementTypes[dataType] }],
  };
}

/** Subgraphs may use values of the graph around them by name; names are unique in both together. */
function renamedNode(node: NodeProto, names: ReadonlyMap<string, string>): NodeProto {
  const renamed = (name: string) => names.get(name) ?? name;
  return {
    ...node,
    input: node.input?.map(renamed),
    output: node.output?.map(renamed),
    attribute: node.attribute?.map((attribute) => renamedAttribute(attribute, names)),
  };
}

function renamedAttribute(attribute: AttributeProto, names: ReadonlyMap<string, string>): AttributeProto {
  if (!attribute.g && !attribute.graphs?.length) return attribute;
  const inside = (graph: GraphProto): GraphProto => ({
    ...graph,
    node: graph.node?.map((node) => renamedNode(node, names)),
    output: graph.output?.map((info) => ({ ...info, name: names.get(info.name ?? "") ?? info.name })),
  });
  return {
    ...attribute,
    ...(attribute.g && { g: inside(attribute.g) }),
    ...(attribute.graphs?.length && { graphs: attribute.graphs.map(inside) }),
  };
}

function namesIn({ node = [], initializer = [], input = [], output = [] }: GraphProto): Set<string> {
  const names = [...initializer, ...input, ...output].map(({ name = "" }) => name);
  return new Set([...names, ...node.flatMap((each) => [...(each.input ?? []), ...(each.output ?? [])])]);
}
