import { messageOf, ServiceError } from "../errors.ts";
import { GraphBuilder } from "./builder.ts";
import { composed } from "./compositions.ts";
import { constantOf } from "./constant-node.ts";
import { type Application, converted, knownOpsets } from "./conversions.ts";
import { calledBody, functionOf } from "./functions.ts";
import type { Graph, Node, ReadModel, Shape, Value } from "./graph.ts";
import type { FunctionProto } from "./model.ts";
import type { NamedType } from "./operators/inference.ts";
import { type Operator, operators, outputTypes } from "./operators/operators.ts";
import { pruned } from "./pruned.ts";
import { withSubgraphs } from "./uses.ts";

/**
 * What is to stand for the outputs of a node that was read, with the values that it is to take; undefined where it is to be appended as it
 * is.
 */
export type Instead = (
  graph: GraphBuilder,
  node: Node,
  inputs: readonly (Value | undefined)[],
) => readonly Value[] | undefined;

/**
 * Appends to a graph what `wanted` needs of one that was read, and gives its values there. `given` are the values that stand for some of
 * those that were read, such as its inputs, whose nodes are left out; initializers without one come along. Operators of ONNX's own set
 * get the form that our tables know, functions of the model are written out, and subgraphs come with all that they use.
 *
 * Types are those that the tables give. Where they know none it is what the file tells, or `unknown` with the reason.
 *
 * Throws ARTIFACT_INVALID for an operator set that is too old or too new, a value that nothing gives, nodes that stand before what they
 * use, and functions that call themselves.
 */
export function appended(
  graph: GraphBuilder,
  model: ReadModel,
  given: ReadonlyMap<Value, Value>,
  wanted: readonly Value[],
  instead: Instead = () => undefined,
): readonly Value[] {
  const version = model.opsets.get("") ?? knownOpsets.newest;
  if (version < knownOpsets.oldest || version > knownOpsets.newest) {
    const needed = `${knownOpsets.oldest} to ${knownOpsets.newest}`;
    throw new ServiceError("ARTIFACT_INVALID", `the model is of ONNX's operator set ${version}; needed: ${needed}`);
  }
  return new Appending(model, instead, 0).values(graph, given, wanted);
}

/** Functions that call functions. */
const callDepthMax = 32;

class Appending {
  readonly #model: ReadModel;
  readonly #instead: Instead;
  readonly #depth: number;
  /** What the sizes that only have a name in the file are called here. */
  readonly #sizes = new Map<string, Shape[number]>();

  constructor(model: ReadModel, instead: Instead, depth: number) {
    this.#model = model;
    this.#instead = instead;
    this.#depth = depth;
  }

  values(graph: GraphBuilder, given: ReadonlyMap<Value, Value>, wanted: readonly Value[]): readonly Value[] {
    for (const [read, here] of given) {
      if (read.unknown === undefined && read.shape.length === here.shape.length)
        this.#nameSizes(read.shape, here.shape);
    }
    const nodes = this.#model.graph.nodes.filter(({ outputs }) => !outputs.every((output) => given.has(output)));
    const values = this.#appended(graph, pruned({ ...this.#model.graph, nodes, outputs: wanted }), given);
    return wanted.map((value) => found(values, value, "the model"));
  }

  #nameSizes(read: Shape, here: Shape): void {
    for (const [axis, size] of read.entries()) if (typeof size === "string") this.#sizes.set(size, here[axis]!);
  }

  #appended(graph: GraphBuilder, { initializers, nodes }: Graph, given: ReadonlyMap<Value, Value>) {
    const values = new Map(given);
    for (const initializer of initializers) {
      if (!values.has(initializer)) values.set(initializer, graph.read(initializer, "initializer"));
    }
    for (const node of nodes) {
      const inputs = node.inputs.map((input: Value | undefined) => input && found(values, input, titleOf(node)));
      const outputs = this.#instead(graph, node, inputs) ?? this.#node(graph, node, inputs, values);
      for (const [index, output] of outputs.entries()) if (node.outputs[index]) values.set(node.outputs[index], output);
    }
    return values;
  }

  #node(
    graph: GraphBuilder,
    node: Node,
    inputs: readonly (Value | undefined)[],
    values: ReadonlyMap<Value, Value>,
  ): readonly Value[] {
    const called = functionOf(this.#model, node);
    if (called !== undefined) return this.#call(graph, called, node, inputs);
    const attributes = withSubgraphs(node.attributes, (inner) => this.#subgraph(graph, inner, values));
    const { operator, set, outputs } = node;
    const { domain = "", version = 0 } = set ?? {};
    const isOwn = domain === "";
    const application = { operator, version, inputs, attributes, outputCount: outputs.length };
    const constant = isOwn ? constantOf(application) : undefined;
    if (constant !== undefined) return [graph.read({ ...constant, name: outputs[0]!.name }, "initializer")];
    const newest = isOwn ? converted(graph, application) : application;
    if (isOwn && Object.hasOwn(operators, operator)) return this.#known(graph, node, newest);
    const written = isOwn ? composed(graph, newest) : undefined;
    if (written !== undefined) return written;
    const types = this.#told(node, `nothing is known of the operator ${operator}`);
    const form = { inputs: newest.inputs as readonly Value[], attributes: newest.attributes };
    return graph.append({ ...node, ...form, set: { domain, version: newest.version } }, types);
  }

  /** A node whose operator is in our tables; the set that gives it its meaning follows from it. */
  #known(graph: GraphBuilder, node: Node, application: Application): readonly Value[] {
    const { operator, inputs, attributes, outputCount } = application;
    const types = typesOf(node, operator as Operator, inputs, attributes);
    const otherwise = typeof types === "string" ? types : `${titleOf(node)} gives fewer outputs`;
    const told = this.#told(node, otherwise).slice(0, outputCount);
    const named = told.map((each, index) => (typeof types === "string" ? each : agreed(each, types[index])));
    const doubt = typeof types === "string" ? types : undefined;
    const form = { operator, inputs: inputs as readonly Value[], attributes, set: undefined, doubt };
    return graph.append({ ...node, ...form }, named);
  }

  /** What the file tells of a node's outputs, with its names of sizes as they are here. */
  #told({ outputs }: Node, otherwise: string): readonly NamedType[] {
    return outputs.map(({ name, dataType, shape, unknown, type }) => {
      if (unknown !== undefined) return { name, dataType, shape, type, unknown: otherwise };
      const renamed = (size: Shape[number]) =>
        typeof size === "string" ? (this.#sizes.get(size) ?? `${size} of the file`) : size;
      return { name, dataType, shape: shape.map(renamed) };
    });
  }

  /** A subgraph in the place of the one that was read, under names that are unique here. */
  #subgraph(graph: GraphBuilder, read: Graph, around: ReadonlyMap<Value, Value>): Graph {
    const inner = new GraphBuilder(read.name, graph);
    const values = new Map(around);
    for (const input of read.inputs) values.set(input, inner.read(input, "input"));
    const all = this.#appended(inner, read, values);
    for (const output of read.outputs) inner.output(output.name, found(all, output, `the graph ${read.name}`));
    return inner.graph();
  }

  #call(graph: GraphBuilder, called: FunctionProto, node: Node, inputs: readonly (Value | undefined)[]) {
    if (this.#depth === callDepthMax) {
      throw new ServiceError(
        "ARTIFACT_INVALID",
        `the function ${called.name} is called more than ${callDepthMax} deep`,
      );
    }
    const body = calledBody(this.#model, called, node);
    const given = body.graph.inputs.flatMap((input, index) => (inputs[index] ? [[input, inputs[index]] as const] : []));
    return new Appending(body, this.#instead, this.#depth + 1).values(graph, new Map(given), body.graph.outputs);
  }
}

/** The types that the tables give; the reason where they give none: that of an input, or what they refuse. */
function typesOf(
  node: Node,
  operator: Operator,
  inputs: readonly (Value | undefined)[],
  attributes: Application["attributes"],
) {
  const open = inputs.find((input) => input?.unknown !== undefined);
  if (open !== undefined) return open.unknown!;
  try {
    return outputTypes(operator, inputs as readonly Value[], attributes);
  } catch (failure) {
    return `${titleOf(node)}: ${messageOf(failure).replace("broken invariant: ", "")}`;
  }
}

/** What the tables give, and the sizes that only the file tells. */
function agreed(told: NamedType, given: Omit<NamedType, "name"> | undefined): NamedType {
  if (given === undefined) return told;
  const isSame = told.unknown === undefined && told.shape.length === given.shape.length;
  const shape = given.shape.map((size, axis) => {
    const other = isSame ? told.shape[axis] : undefined;
    return typeof size === "string" && typeof other === "number" ? other : size;
  });
  return { ...given, name: told.name, shape };
}

function found(values: ReadonlyMap<Value, Value>, value: Value, by: string): Value {
  const here = values.get(value);
  if (here !== undefined) return here;
  const seen = `${by} uses ${JSON.stringify(value.name)}, which no input, initializer or node before it gives`;
  throw new ServiceError("ARTIFACT_INVALID", seen);
}

function titleOf({ name, operator }: Node): string {
  return `the node ${JSON.stringify(name)} (${operator})`;
}
