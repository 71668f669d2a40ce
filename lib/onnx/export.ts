import type { DataType } from "../tensor.ts";
import { elementTypes } from "./element-type.ts";
import type { Attribute, Graph, Node, OperatorSet, ReadModel, Value } from "./graph.ts";
import { domainOf } from "./graph-reader.ts";
import type {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  SparseTensorProto,
  TensorProto,
  ValueInfoProto,
} from "./model.ts";
import { subgraphsOf } from "./uses.ts";

/** The operator set of the graphs that a builder makes, unless an operator of theirs needs a newer one. */
const opsetVersion = 18;
const newerOperators: Readonly<Record<string, number>> = { Gelu: 20, GroupNormalization: 21, RMSNormalization: 23 };

/** Attributes that came after their operator, with the value that did where others are older. */
const newerAttributes: readonly (readonly [
  operator: string,
  name: string,
  value: string | undefined,
  opset: number,
])[] = [
  ["AveragePool", "dilations", undefined, 19],
  ["Pad", "mode", "wrap", 19],
  ["Resize", "coordinate_transformation_mode", "half_pixel_symmetric", 19],
];

/** The file format that an operator set came with: from which set on, and its number. */
const irVersions = [
  [18, 8],
  [20, 9],
  [21, 10],
  [23, 11],
] as const;

/** What a file says about itself. */
export interface ModelNotes {
  /** Markdown. */
  readonly docString?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** A built graph as an ONNX file, ready for `writeModel`. Tensors alias the elements of the graph's initializers. */
export function modelOf(graph: Graph, notes: ModelNotes = {}): ModelProto {
  const sets = new Map([["", opsetVersion]]);
  for (const { domain, version } of neededSets(graph)) sets.set(domain, Math.max(version, sets.get(domain) ?? 0));
  return {
    irVersion: irVersions.findLast(([from]) => from <= sets.get("")!)?.[1],
    opsetImport: [...sets].map(([domain, version]) => ({ domain, version })),
    producerName: "amaas",
    ...(notes.docString !== undefined && { docString: notes.docString }),
    graph: graphProto(graph),
    metadataProps: Object.entries(notes.metadata ?? {}).map(([key, value]) => ({ key, value })),
  };
}

/** A graph that was read as the file that it was. */
export function modelProtoOf({ graph, source }: ReadModel): ModelProto {
  return { ...source, graph: graphProto(graph) };
}

/** The oldest operator sets that have all operators of a graph, so that runtimes that are not new can load it. */
function neededSets({ nodes }: Graph): readonly OperatorSet[] {
  return nodes.flatMap((node) => [node.set ?? ownSet(node), ...subgraphsOf(node).flatMap(neededSets)]);
}

function ownSet({ operator, attributes }: Node): OperatorSet {
  const newer = newerAttributes.filter(([of, name, value]) => {
    const given = attributes[name];
    return of === operator && given !== undefined && (value === undefined || given.value === value);
  });
  const versions = newer.map(([, , , version]) => version);
  return { domain: "", version: Math.max(newerOperators[operator] ?? 0, ...versions) };
}

function graphProto({ name, inputs, outputs, initializers, nodes, source = {} }: Graph): GraphProto {
  const known = (infos: readonly ValueInfoProto[] | undefined) => (value: Value, index: number) =>
    infos?.[index] !== undefined && (infos[index].name ?? "") === value.name ? infos[index] : valueInfo(value);
  return {
    ...source,
    ...(name !== (source.name ?? "") && { name }),
    node: nodes.map(nodeProto),
    initializer: initializers.filter((value) => sparseOf(value) === undefined).map(tensorProto),
    sparseInitializer: initializers.map(sparseOf).filter((sparse) => sparse !== undefined),
    input: inputs.map(known(source.input)),
    output: outputs.map(known(source.output)),
  };
}

function sparseOf({ stored }: Value): SparseTensorProto | undefined {
  return stored !== undefined && "sparse" in stored ? stored.sparse : undefined;
}

/** What a file said of the node stays, as far as it is still so. */
function nodeProto({ name, operator, inputs, outputs, attributes, set, source }: Node): NodeProto {
  const domain = set?.domain ?? "";
  return {
    ...source,
    ...(name !== (source?.name ?? "") && { name }),
    ...(operator !== (source?.opType ?? "") && { opType: operator }),
    ...(domain !== domainOf(source?.domain) && { domain }),
    input: inputs.map((value: Value | undefined) => value?.name ?? ""),
    output: outputs.map((value) => value.name),
    attribute: Object.entries(attributes).map(([key, attribute]) => attributeProto(key, attribute)),
  };
}

/** One that was read is as it was, but for the names in its graphs. */
export function attributeProto(name: string, attribute: Attribute): AttributeProto {
  const { kind, source } = attribute;
  if (kind === "graph") return { ...(source ?? { name, type: 5 }), g: graphProto(attribute.value) };
  if (kind === "graphs") return { ...(source ?? { name, type: 10 }), graphs: attribute.value.map(graphProto) };
  if (source !== undefined) return source;
  switch (kind) {
    case "float":
      return { name, type: 1, f: attribute.value };
    case "int":
      return { name, type: 2, i: attribute.value };
    case "string":
      return { name, type: 3, s: bytesOf(attribute.value) };
    case "tensor":
      return { name, type: 4, t: tensorProto(attribute.value) };
    case "floats":
      return { name, type: 6, floats: attribute.value };
    case "ints":
      return { name, type: 7, ints: attribute.value };
    case "strings":
      return { name, type: 8, strings: attribute.value.map(bytesOf) };
    case "other":
      return { name };
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function tensorProto({ name, dataType, shape, elements, stored }: Value): TensorProto {
  if (stored !== undefined && "tensor" in stored) {
    return name === (stored.tensor.name ?? "") ? stored.tensor : { ...stored.tensor, name };
  }
  const { buffer, byteOffset, byteLength } = elements ?? new Uint8Array();
  return {
    name,
    dims: shape.map(Number),
    dataType: elementTypes[dataType as DataType],
    rawData: new Uint8Array(buffer, byteOffset, byteLength),
  };
}

/** Without a type where it is not known. */
function valueInfo({ name, dataType, shape, unknown, type }: Value): ValueInfoProto {
  if (type !== undefined) return { name, type };
  if (dataType === "UNKNOWN") return { name };
  const elemType = elementTypes[dataType];
  if (unknown !== undefined) return { name, type: { tensorType: { elemType } } };
  const dim = shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}
