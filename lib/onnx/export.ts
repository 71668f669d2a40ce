import type { DataType } from "../tensor.ts";
import { elementTypes } from "./element-type.ts";
import type { Attribute, Graph, Node, Value } from "./graph.ts";
import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto } from "./model.ts";

/** The operator set of the graphs that a builder makes, and the file format that it belongs to. */
const opsetVersion = 18;
const irVersion = 8;

/** What a file says about itself. */
export interface ModelNotes {
  /** Markdown. */
  readonly docString?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A built graph as an ONNX file, ready for `writeModel`. Tensors alias the elements of the graph's initializers. */
export function modelOf(graph: Graph, notes: ModelNotes = {}): ModelProto {
  return {
    irVersion,
    opsetImport: [{ domain: "", version: opsetVersion }],
    producerName: "amaas",
    ...(notes.docString !== undefined && { docString: notes.docString }),
    graph: graphProto(graph),
    metadataProps: Object.entries(notes.metadata ?? {}).map(([key, value]) => ({ key, value })),
  };
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
