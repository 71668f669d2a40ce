import { dataTypeOf } from "./element-type.ts";
import { type Attribute, anyShape, type Graph, type Node, type ReadModel, type Value } from "./graph.ts";
import {
  type AttributeProto,
  type DimensionProto,
  type GraphProto,
  type Int64,
  integerOf,
  type ModelProto,
  type NodeProto,
  type TypeProto,
} from "./model.ts";
import { dimensionsOf, type ExternalFiles, elementsIn, sparseElements } from "./tensor-elements.ts";

/**
 * The graph of an ONNX file, of any version and with any operators; `modelProtoOf` writes it back without loss. Types are those that the
 * file tells; the elements of tensors may alias its bytes. `files` are those beside it.
 *
 * Throws ARTIFACT_INVALID for a tensor whose elements do not fit its shape.
 */
export function readGraph(model: ModelProto, files: ExternalFiles = new Map()): ReadModel {
  const { graph, opsetImport = [], functions = [] } = model;
  const versions = opsetImport.map(({ domain, version = 0 }) => [domainOf(domain), integerOf(version)] as const);
  const opsets = new Map(versions);
  return { graph: new GraphReader(opsets, files).graph(graph ?? {}), opsets, functions, source: model };
}

/** ONNX's own domain has two names. */
export function domainOf(domain: string | undefined): string {
  return domain === undefined || domain === "ai.onnx" ? "" : domain;
}

/** The values of a graph by name, and those of the graphs around it. */
class Scope {
  readonly #values = new Map<string, Value>();
  readonly #around: Scope | undefined;

  constructor(around: Scope | undefined) {
    this.#around = around;
  }

  add(value: Value): Value {
    this.#values.set(value.name, value);
    return value;
  }

  own(name: string): Value | undefined {
    return this.#values.get(name);
  }

  find(name: string): Value | undefined {
    return this.#values.get(name) ?? this.#around?.find(name);
  }
}

class GraphReader {
  readonly #opsets: ReadonlyMap<string, number>;
  readonly #files: ExternalFiles;

  constructor(opsets: ReadonlyMap<string, number>, files: ExternalFiles) {
    this.#opsets = opsets;
    this.#files = files;
  }

  graph(proto: GraphProto, around?: Scope): Graph {
    const { name = "", node = [], initializer = [], sparseInitializer = [], input = [], output = [] } = proto;
    const scope = new Scope(around);
    const types = new Map(
      [...output, ...(proto.valueInfo ?? []), ...input].map((info) => [info.name ?? "", info.type]),
    );
    const initializers = [
      ...initializer.map((tensor) => scope.add(this.#tensor(tensor))),
      ...sparseInitializer.map((sparse) => {
        const { name = "", dataType } = sparse.values ?? {};
        const given = { name, dims: sparse.dims, dataType };
        return scope.add({ ...typeOfTensor(given), elements: sparseElements(sparse, this.#files), stored: { sparse } });
      }),
    ];
    const declared = (name: string, producer?: Node) => ({ ...typeIn(name, types.get(name)), producer });
    const inputs = input.map(({ name = "" }) => scope.own(name) ?? scope.add(declared(name)));
    const nodes = node.map((each) => this.#node(each, scope, declared));
    const found = (name: string) => scope.find(name) ?? scope.add(declared(name));
    // Only now are all values there: subgraphs and inputs may name any of them.
    for (const [index, each] of node.entries()) this.#connect(nodes[index]!, each, scope, found);
    return { name, inputs, outputs: output.map(({ name = "" }) => found(name)), initializers, nodes, source: proto };
  }

  /** A node with its outputs, and without what it takes. */
  #node(proto: NodeProto, scope: Scope, declared: (name: string, producer: Node) => Value): Node {
    const { name = "", opType: operator = "", output = [] } = proto;
    const domain = domainOf(proto.domain);
    const set = { domain, version: this.#opsets.get(domain) ?? 0 };
    const outputs: Value[] = [];
    const node: Node = { name, operator, inputs: [], outputs, attributes: {}, set, source: proto };
    for (const name of output) outputs.push(name === "" ? declared(name, node) : scope.add(declared(name, node)));
    return node;
  }

  #connect(node: Node, { input = [], attribute = [] }: NodeProto, scope: Scope, found: (name: string) => Value): void {
    const attributes = attribute.map((each) => [each.name ?? "", this.#attribute(each, scope)] as const);
    const inputs = input.map((name) => (name === "" ? undefined : found(name)) as Value);
    Object.assign(node, { inputs, attributes: Object.fromEntries(attributes) });
  }

  /** By the numbers of `AttributeProto.AttributeType`. */
  #attribute(source: AttributeProto, scope: Scope): Attribute {
    const {
      type,
      f = 0,
      i = 0,
      s = new Uint8Array(),
      t,
      g,
      floats = [],
      ints = [],
      strings = [],
      graphs = [],
    } = source;
    if (source.refAttrName) return { kind: "other", source };
    if (type === 1) return { kind: "float", value: f, source };
    if (type === 2) return { kind: "int", value: nearestNumber(i), source };
    if (type === 3) return { kind: "string", value: textOf(s), source };
    if (type === 4 && t) return { kind: "tensor", value: this.#tensor(t), source };
    if (type === 5 && g) return { kind: "graph", value: this.graph(g, scope), source };
    if (type === 6) return { kind: "floats", value: floats, source };
    if (type === 7) return { kind: "ints", value: ints.map(nearestNumber), source };
    if (type === 8) return { kind: "strings", value: strings.map(textOf), source };
    if (type === 10) return { kind: "graphs", value: graphs.map((graph) => this.graph(graph, scope)), source };
    return { kind: "other", source };
  }

  #tensor(tensor: Parameters<typeof elementsIn>[0]): Value {
    return { ...typeOfTensor(tensor), elements: elementsIn(tensor, this.#files), stored: { tensor } };
  }
}

function typeOfTensor(tensor: Parameters<typeof elementsIn>[0]): Value {
  const { name = "", dataType: number = 0 } = tensor;
  const dataType = dataTypeOf(number);
  if (dataType !== undefined) return { name, dataType, shape: dimensionsOf(tensor) };
  return { name, dataType: "UNKNOWN", shape: anyShape, unknown: `its elements are of ONNX type ${number}` };
}

/** A value of the type that a file says; undefined where it says none. */
function typeIn(name: string, type: TypeProto | null | undefined): Value {
  const { elemType = 0, shape } = type?.tensorType ?? {};
  const dataType = type?.tensorType ? dataTypeOf(elemType) : undefined;
  if (dataType === undefined) {
    const unknown = type ? "it is no tensor of a known data type" : "the file does not tell its type";
    return { name, dataType: "UNKNOWN", shape: anyShape, unknown, ...(type && { type }) };
  }
  if (!shape) return { name, dataType, shape: anyShape, unknown: "the file does not tell its shape" };
  return { name, dataType, shape: (shape.dim ?? []).map((dim, axis) => sizeOf(dim, `${name}.shape[${axis}]`)) };
}

/** Some exporters write -1 where they mean a size that is not known. */
function sizeOf({ dimValue, dimParam }: DimensionProto, otherwise: string): number | string {
  if (typeof dimValue === "number" && dimValue >= 0) return dimValue;
  return dimParam || otherwise;
}

function nearestNumber(value: Int64): number {
  return typeof value === "number" ? value : value.high * 2 ** 32 + (value.low >>> 0);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
