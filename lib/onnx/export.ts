import type { DataType } from "../tensor.ts";
import { elementTypes } from "./element-type.ts";
import type { Attribute, Graph, Node, Value } from "./graph.ts";
import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto } from "./model.ts";
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
  readonly docString?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A built graph as an ONNX file, ready for `writeModel`. Tensors alias the elements of the graph's initializers. */
export function modelOf(graph: Graph, notes: ModelNotes = {}): ModelProto {
  const version = neededOpset(graph);
  return {
    irVersion: irVersions.findLast(([from]) => from <= version)?.[1],
    opsetImport: [{ domain: "", version }],
    producerName: "amaas",
    ...(notes.docString !== undefined && { docString: notes.docString }),
    graph: graphProto(graph),
    metadataProps: Object.entries(notes.metadata ?? {}).map(([key, value]) => ({ key, value })),
  };
}

/** The oldest operator set that has all operators of a graph, so that runtimes that are not new can load it. */
function neededOpset({ nodes }: Graph): number {
  const needed = nodes.flatMap((node) => [
    newerOperators[node.operator] ?? 0,
    attributesOpset(node),
    ...subgraphsOf(node).map(neededOpset),
  ]);
  return Math.max(opsetVersion, ...needed);
}

function attributesOpset({ operator, attributes }: Node): number {
  const newer = newerAttributes.filter(([of, name, value]) => {
    const given = attributes[name];
    return of === operator && given !== undefined && (value === undefined || given.value === value);
  });
  return Math.max(0, ...newer.map(([, , , opset]) => opset));
}

function graphProto({ name, inputs, outputs, initializers, nodes }: Graph): GraphProto {
  return {
    name,
    node: nodes.map(nodeProto),
    initializer: initializers.map(tensorProto),
    input: inputs.map(valueInfo),
    output: outputs.map(valueInfo),
  };
}

function nodeProto({ name, operator, inputs, outputs, attributes }: Node): NodeProto {
  return {
    name,
    opType: operator,
    input: inputs.map((value: Value | undefined) => value?.name ?? ""),
    output: outputs.map((value) => value.name),
    attribute: Object.entries(attributes).map(([key, attribute]) => attributeProto(key, attribute)),
  };
}

function attributeProto(name: string, { kind, value }: Attribute): AttributeProto {
  switch (kind) {
    case "float":
      return { name, type: 1, f: value };
    case "int":
      return { name, type: 2, i: value };
    case "type":
      return { name, type: 2, i: elementTypes[value] };
    case "string":
      return { name, type: 3, s: new TextEncoder().encode(value) };
    case "graph":
      return { name, type: 5, g: graphProto(value) };
    case "ints":
      return { name, type: 7, ints: value };
  }
}

function tensorProto({ name, dataType, shape, elements }: Value): TensorProto {
  const { buffer, byteOffset, byteLength } = elements ?? new Uint8Array();
  return {
    name,
    dims: shape.map(Number),
    dataType: elementTypes[dataType as DataType],
    rawData: new Uint8Array(buffer, byteOffset, byteLength),
  };
}

function valueInfo({ name, dataType, shape }: Value): ValueInfoProto {
  const dim = shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: elementTypes[dataType], shape: { dim } } } };
}
