import { assert } from "../errors.ts";
import type { DataType } from "../tensor.ts";
import { int, ints, string } from "./attributes.ts";
import { elementsOf, elementTypes, type NumericDataType } from "./element-type.ts";
import { foldedElements } from "./folding/folded.ts";
import type { Attributes, Elements, Graph, Node, Shape, Value } from "./graph.ts";
import { type NamedType, namedType } from "./operators/inference.ts";
import { type Operator, outputTypes } from "./operators/operators.ts";
import { product } from "./shapes.ts";
import { UniqueNames } from "./unique-names.ts";

/** What a Loop body hands on: `carried` to the next iteration, `scanned` to be stacked along a new first axis. */
export interface LoopResult {
  readonly carried: readonly Value[];
  readonly scanned: readonly Value[];
}

/**
 * Appends nodes to a graph and knows the data type and shape of every value as it goes. The same calls give the same
 * graph, names included. Types that do not fit are a broken invariant of the caller: check what users give before.
 */
export class GraphBuilder {
  readonly #name: string;
  readonly #names: UniqueNames;
  /** Initializers that keep their names, so that nothing which follows from them is a constant. */
  readonly #kept: Set<Value>;
  readonly #inputs: Value[] = [];
  readonly #outputs: Value[] = [];
  readonly #initializers: Value[] = [];
  /** Of each size that has only a name, where an input of this graph or one around it has it. */
  readonly #named: Map<string, { readonly input: Value; readonly axis: number }>;
  /** Constants, and sizes that are worked out. */
  readonly #made = new Map<string, Value>();
  readonly #nodes: Node[] = [];

  /** `around` is the builder of the graph that the new one will be a subgraph of: names are unique in both together. */
  constructor(name: string, around?: GraphBuilder) {
    this.#name = name;
    this.#names = around === undefined ? new UniqueNames() : around.#names;
    this.#kept = around === undefined ? new Set() : around.#kept;
    this.#named = new Map(around === undefined ? [] : around.#named);
  }

  /** What has been appended so far, in an order in which it can run. */
  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  input(name: string, dataType: Value["dataType"], shape: Shape): Value {
    const input = pushed(this.#inputs, { name: this.#names.of(name), dataType, shape });
    for (const [axis, size] of shape.entries()) {
      if (typeof size === "string" && !this.#named.has(size)) this.#named.set(size, { input, axis });
    }
    return input;
  }

  /** A constant that keeps its name, such as a trained weight. `elements` is not copied. */
  initializer(name: string, dataType: NumericDataType, shape: readonly number[], elements: Elements): Value {
    assert(elements.length === product(shape), `[${shape}] has ${elements.length} elements`);
    const kept = this.read({ name, dataType, shape, elements }, "initializer");
    this.#kept.add(kept);
    return kept;
  }

  /** An input or an initializer as a file has it, of any type. */
  read(value: Value, place: "input" | "initializer"): Value {
    const own = { ...value, name: this.#names.of(value.name) };
    return pushed(place === "input" ? this.#inputs : this.#initializers, own);
  }

  /** A small constant; equal ones are stored once. */
  constant(dataType: NumericDataType, shape: readonly number[], numbers: readonly number[]): Value {
    return this.#constant(dataType, shape, elementsOf(dataType, numbers));
  }

  scalar(number: number, dataType: Value["dataType"]): Value {
    return this.constant(dataType as NumericDataType, [], [number]);
  }

  /**
   * Appends a node and gives its first output; types follow from the operator table. An optional input may be undefined. Where all that a
   * node gives is known already, it is a constant instead.
   */
  node(operator: Operator, inputs: readonly (Value | undefined)[], attributes: Attributes = {}): Value {
    return this.many(operator, inputs, attributes, 1)[0];
  }

  /** Appends a node and gives its outputs, the first so many of all that the operator has. */
  many(
    operator: Operator,
    inputs: readonly (Value | undefined)[],
    attributes: Attributes = {},
    count?: number,
  ): readonly Value[] {
    const given = inputs as readonly Value[];
    const types = outputTypes(operator, given, attributes).slice(0, count);
    const named = types.map((type) => ({ ...type, name: operator.toLowerCase() }));
    return this.append({ name: operator, operator, inputs: given, attributes }, named);
  }

  /**
   * Appends a node of any operator, with the outputs that it is said to have: constants where they are known already. An output without a
   * name is one that the node leaves out.
   */
  append(node: Omit<Node, "outputs">, types: readonly NamedType[]): readonly Value[] {
    const isOpen = types.length > 1 || node.set !== undefined || node.inputs.some((input) => this.#kept.has(input));
    const [type] = isOpen ? [] : types;
    const elements = type && foldedElements(node.operator, node.inputs, node.attributes, type);
    if (type === undefined || elements === undefined) return this.#append(node, types);
    return [this.#constant(type.dataType as NumericDataType, type.shape as readonly number[], elements)];
  }

  /**
   * Appends a Loop of `tripCount` (an INT64 scalar or vector of one) iterations. `body` builds one iteration from its
   * number, an INT64 scalar, and the carried values; it may use values of this graph. Scanned outputs get
   * `tripDimension` in front of their shape.
   */
  loop(
    tripCount: Value,
    tripDimension: number | string,
    initial: readonly Value[],
    body: (inner: GraphBuilder, iteration: Value, carried: readonly Value[]) => LoopResult,
  ): LoopResult {
    const inner = new GraphBuilder("body", this);
    const iteration = inner.input("iteration", "INT64", []);
    const goOn = inner.input("go_on", "BOOL", []);
    const carried = initial.map(({ name, dataType, shape }) => inner.input(`${name}.carried`, dataType, shape));
    const result = body(inner, iteration, carried);
    const results = [inner.identity(goOn), ...result.carried, ...result.scanned];
    for (const value of results) inner.output("given", value);
    const stacked = result.scanned.map((value) => ({ ...value, shape: [tripDimension, ...value.shape] }));
    const types = [...initial, ...stacked].map((value) => namedType(value, "loop"));
    const inputs = [tripCount, this.constant("BOOL", [], [1]), ...initial];
    const attributes: Attributes = { body: { kind: "graph", value: inner.graph() } };
    const outputs = this.#append({ name: "Loop", operator: "Loop", inputs, attributes }, types);
    return { carried: outputs.slice(0, initial.length), scanned: outputs.slice(initial.length) };
  }

  /** Makes `value` an output of the graph and gives it the name. */
  output(name: string, value: Value): Value {
    const ours = this.#nodes.includes(value.producer as Node) && !this.#outputs.includes(value);
    // By a node even where it is a constant.
    const output = ours ? value : this.#append({ ...identity, inputs: [value] }, [namedType(value, "identity")])[0]!;
    if (output.name !== name) (output as { name: string }).name = this.#names.of(name);
    return pushed(this.#outputs, output);
  }

  /** The graph as it stands. */
  graph(): Graph {
    return {
      name: this.#name,
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      initializers: [...this.#initializers],
      nodes: [...this.#nodes],
    };
  }

  add = (a: Value, b: Value) => this.node("Add", [a, b]);
  sub = (a: Value, b: Value) => this.node("Sub", [a, b]);
  mul = (a: Value, b: Value) => this.node("Mul", [a, b]);
  div = (a: Value, b: Value) => this.node("Div", [a, b]);
  pow = (a: Value, b: Value) => this.node("Pow", [a, b]);
  neg = (x: Value) => this.node("Neg", [x]);
  exp = (x: Value) => this.node("Exp", [x]);
  log = (x: Value) => this.node("Log", [x]);
  sqrt = (x: Value) => this.node("Sqrt", [x]);
  relu = (x: Value) => this.node("Relu", [x]);
  tanh = (x: Value) => this.node("Tanh", [x]);
  sigmoid = (x: Value) => this.node("Sigmoid", [x]);
  identity = (x: Value) => this.node("Identity", [x]);
  equal = (a: Value, b: Value) => this.node("Equal", [a, b]);
  greater = (a: Value, b: Value) => this.node("Greater", [a, b]);
  where = (condition: Value, a: Value, b: Value) => this.node("Where", [condition, a, b]);
  matMul = (a: Value, b: Value) => this.node("MatMul", [a, b]);
  softmax = (x: Value, axis = -1) => this.node("Softmax", [x], { axis: int(axis) });
  logSoftmax = (x: Value, axis = -1) => this.node("LogSoftmax", [x], { axis: int(axis) });
  transpose = (x: Value, perm: readonly number[]) => this.node("Transpose", [x], { perm: ints(perm) });
  gather = (x: Value, indices: Value, axis = 0) => this.node("Gather", [x, indices], { axis: int(axis) });
  reshape = (x: Value, to: Value) => this.node("Reshape", [x, to]);
  expand = (x: Value, to: Value) => this.node("Expand", [x, to]);
  concat = (parts: readonly Value[], axis: number) => this.node("Concat", parts, { axis: int(axis) });
  split = (x: Value, sizes: Value, axis: number) => this.many("Split", [x, sizes], { axis: int(axis) });
  unsqueeze = (x: Value, axes: readonly number[]) => this.node("Unsqueeze", [x, this.sizes(axes)]);

  /** An INT64 vector. */
  sizes = (numbers: readonly number[]) => this.constant("INT64", [numbers.length], numbers);

  /** The sizes of `x` as an INT64 vector: a constant where the shape is known, worked out at run time where it is not. */
  shapeOf(x: Value): Value {
    return this.sizesOf(x, 0);
  }

  /**
   * The sizes of the axes from `start` to before `end`, which may be negative, as an INT64 vector. Sizes that only have a name are taken
   * from the graph's inputs where those have them, so that `x` need not be kept for its shape.
   */
  sizesOf(x: Value, start: number, end = x.shape.length): Value {
    const shape = x.shape.slice(start, end);
    if (!Number.isNaN(product(shape))) return this.sizes(shape.map(Number));
    const parts = shape.map((size) => (typeof size === "number" ? this.sizes([size]) : this.#sizeNamed(size)));
    if (parts.includes(undefined)) return this.node("Shape", [x], { start: int(start), end: int(end) });
    return this.#once(`${shape}`, () => this.concat(parts as Value[], 0));
  }

  /** The number of elements of `x`, an INT64 scalar. */
  size(x: Value): Value {
    const count = product(x.shape);
    if (!Number.isNaN(count)) return this.scalar(count, "INT64");
    return this.#once(`of ${x.shape}`, () => this.node("ReduceProd", [this.shapeOf(x)], { keepdims: int(0) }));
  }

  /** The elements of `x` in a shape that has as many; other than for `reshape`, a size of 0 is one. */
  shaped(x: Value, sizes: Value): Value {
    return this.node("Reshape", [x, sizes], { allowzero: int(1) });
  }

  /** As many zeros as `x` has elements, in its shape. */
  zeros = (x: Value) => this.expand(this.scalar(0, x.dataType), this.shapeOf(x));

  /** The elements of `x` from `start` to before `end` along an axis. */
  slice(x: Value, axis: number, start: number, end: number): Value {
    return this.node("Slice", [x, this.sizes([start]), this.sizes([end]), this.sizes([axis])]);
  }

  /** `x` with each update added at its index along `axis`; several at one index add up. */
  scatterAdd(x: Value, indices: Value, updates: Value, axis: number): Value {
    const attributes: Attributes = { axis: int(axis), reduction: string("add") };
    return this.node("ScatterElements", [x, indices, updates], attributes);
  }

  cast(x: Value, to: Value["dataType"]): Value {
    return x.dataType === to ? x : this.node("Cast", [x], { to: int(elementTypes[to as DataType]) });
  }

  /** `a·b + c`, with either matrix transposed first; `c` broadcasts to the product. */
  gemm(a: Value, b: Value, c?: Value, turn: { transposeA?: boolean; transposeB?: boolean } = {}): Value {
    const attributes = { transA: int(turn.transposeA ? 1 : 0), transB: int(turn.transposeB ? 1 : 0) };
    return this.node("Gemm", c === undefined ? [a, b] : [a, b, c], attributes);
  }

  /** The sum over `axes`, all when absent; reduced axes stay as 1 only with `keepDimensions`. */
  reduceSum(x: Value, axes?: readonly number[], keepDimensions = false): Value {
    return this.#reduced("ReduceSum", x, axes, keepDimensions);
  }

  reduceMean(x: Value, axes?: readonly number[], keepDimensions = false): Value {
    return this.#reduced("ReduceMean", x, axes, keepDimensions);
  }

  /** The index of the largest element along `axis`, which is dropped; the first of equals. */
  argMax = (x: Value, axis: number) => this.node("ArgMax", [x], { axis: int(axis), keepdims: int(0) });

  #reduced(operator: Operator, x: Value, axes: readonly number[] | undefined, keepDimensions: boolean): Value {
    const inputs = axes === undefined ? [x] : [x, this.sizes(axes)];
    return this.node(operator, inputs, { keepdims: int(keepDimensions ? 1 : 0) });
  }

  #constant(dataType: NumericDataType, shape: readonly number[], elements: Elements): Value {
    const { buffer, byteOffset, byteLength } = elements;
    const key = `${dataType}[${shape}]${Buffer.from(buffer, byteOffset, byteLength).toString("latin1")}`;
    return this.#once(key, () => this.read({ name: "constant", dataType, shape, elements }, "initializer"));
  }

  #append(node: Omit<Node, "outputs">, types: readonly NamedType[]): readonly Value[] {
    const outputs: Value[] = [];
    const appended: Node = { ...node, name: this.#names.of(node.name), outputs };
    for (const type of types) {
      const name = type.name === "" ? "" : this.#names.of(type.name);
      outputs.push({ ...type, name, producer: appended });
    }
    this.#nodes.push(appended);
    return outputs;
  }

  /** A size that only has a name, as an INT64 vector of one; undefined where no input has it. */
  #sizeNamed(name: string): Value | undefined {
    const known = this.#named.get(name);
    if (known === undefined) return undefined;
    const { input, axis } = known;
    return this.#once(name, () => this.node("Shape", [input], { start: int(axis), end: int(axis + 1) }));
  }

  #once(key: string, make: () => Value): Value {
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const value = make();
    this.#made.set(key, value);
    return value;
  }
}

const identity = { name: "Identity", operator: "Identity", attributes: {} };
function pushed(list: Value[], value: Value): Value {
  list.push(value);
  return value;
}
