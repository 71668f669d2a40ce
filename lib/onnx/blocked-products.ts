import { int, ints, string } from "./attributes.ts";
import { NodeList, namesIn } from "./channel-blocks.ts";
import { productOf, quotientOf } from "./dimensions.ts";
import type { Attributes, Dimension, Graph, Node, Value } from "./graph.ts";
import { floatOf, intOf } from "./operators/inference.ts";
import { product } from "./shapes.ts";
import type { UniqueNames } from "./unique-names.ts";
import { usedBy, withSubgraphs } from "./uses.ts";

/**
 * A graph whose products of matrices run as the runtime's convolutions on channels in blocks, in its subgraphs too: their code is the
 * faster one, and adds a bias for nothing. The columns of a matrix are channels, its rows are places. Elementwise operators between two
 * products, and sums over rows, are taken in that order, so that only the narrow matrices around them are put in order and back.
 *
 * Products with a size that is small, no whole number of blocks or not known to be one stay as they are.
 */
export function withBlockedProducts(graph: Graph, block: number): Graph {
  return new BlockedProducts(block, namesIn(graph)).rewritten(graph);
}

/** Sizes of a product, where they are known, from which on it costs more than what its operands are put in order by. */
const sizeMin = 128;

/** Operators that work element by element, on whatever order these are in. */
const elementwise = new Set(
  "Add Sub Mul Div Neg Abs Sqrt Exp Log Erf Reciprocal Relu LeakyRelu Elu Selu Sigmoid HardSigmoid HardSwish Tanh Softplus Gelu Mish".split(
    " ",
  ),
);

/** In which orders a matrix is there. */
interface Forms {
  readonly rows: Dimension;
  readonly columns: Dimension;
  /** The values that are it row by row, in shapes whose last axis is the columns. */
  readonly plain: Set<Value>;
  /** In blocks of columns, as [1, columns, rows / block, block]. */
  byColumns?: Value;
  /** In blocks of rows, as [1, rows, columns / block, block]. */
  byRows?: Value;
}

type Order = "byColumns" | "byRows";

/** An operand, and the order that its product needs it in. */
type Operand = readonly [value: Value, order: Order];

class BlockedProducts {
  readonly #block: number;
  readonly #names: UniqueNames;
  readonly #list: NodeList;
  readonly #forms = new Map<Value, Forms>();
  readonly #ones = new Map<Dimension, Value>();
  readonly #takers = new Map<Value, Node[]>();

  constructor(block: number, names: UniqueNames) {
    this.#block = block;
    this.#names = names;
    this.#list = new NodeList(names);
  }

  rewritten(graph: Graph): Graph {
    for (const node of graph.nodes) {
      for (const value of node.inputs) this.#takers.set(value, [...(this.#takers.get(value) ?? []), node]);
    }
    for (const node of graph.nodes) {
      if (this.#product(node) || this.#between(node) || this.#columnSums(node)) continue;
      for (const value of usedBy(node)) this.#plain(value);
      const inner = (subgraph: Graph) => new BlockedProducts(this.#block, this.#names).rewritten(subgraph);
      const attributes = withSubgraphs(node.attributes, inner);
      this.#list.nodes.push(attributes === node.attributes ? node : { ...node, attributes });
      if (keepsColumns(node)) this.#share(node);
    }
    for (const output of graph.outputs) this.#plain(output);
    const { nodes, initializers } = this.#list;
    return { ...graph, nodes, initializers: [...graph.initializers, ...initializers] };
  }

  /** Appends a product in blocks; whether it is one that should be. */
  #product(node: Node): boolean {
    const turns = turnsOf(node);
    if (turns === undefined || !this.#isLarge(node)) return false;
    const [a, b, bias] = node.inputs as readonly [Value, Value, Value | undefined];
    const isOverRows = turns[0] && !turns[1];
    if (!isOverRows && this.#forms.get(a)?.plain.size !== 0 && !this.#isWidened(node)) return false;
    const y = node.outputs[0]!;
    const order = (isTurned: boolean): Order => (isTurned ? "byRows" : "byColumns");
    const straight = { order: "byColumns", places: [a, order(turns[0])], weights: [b, order(turns[1])] } as const;
    const turned = { order: "byRows", places: [b, order(!turns[1])], weights: [a, order(!turns[0])] } as const;
    const isEither = bias === undefined && y.shape.every((size) => typeof size === "number");
    const taken = isEither && this.#cost(turned) <= this.#cost(straight) ? turned : straight;
    const given = this.#convolved(this.#ordered(...taken.places), this.#ordered(...taken.weights), y.name, bias);
    this.#forms.set(y, { rows: y.shape[0]!, columns: y.shape[1]!, plain: new Set(), [taken.order]: given });
    return true;
  }

  /** Whether a product has more columns than it was given, and what takes them works element by element. */
  #isWidened({ inputs: [a], outputs: [y] }: Node): boolean {
    const takers = (value: Value): readonly Node[] =>
      (this.#takers.get(value) ?? []).flatMap((node) => (keepsColumns(node) ? takers(node.outputs[0]!) : [node]));
    const isElementwise = takers(y!).some(({ operator }) => elementwise.has(operator));
    return isElementwise && Number(y!.shape[1]) > Number(a!.shape[1]);
  }

  #isLarge({ inputs: [a], outputs: [y], attributes }: Node): boolean {
    const inner = a!.shape[intOf(attributes, "transA", 0) === 1 ? 0 : 1]!;
    return [...y!.shape, inner].every((size) => this.#isWhole(size) && (typeof size === "string" || size >= sizeMin));
  }

  #isWhole(size: Dimension): boolean {
    return productOf([quotientOf(size, this.#block), this.#block]) === size;
  }

  /** Elements that have to be put in order first; of a size that is not known both ways of a product have as many. */
  #cost({ places, weights }: { readonly places: Operand; readonly weights: Operand }): number {
    const missing = ([value, order]: Operand) => {
      const forms = this.#forms.get(value);
      if (forms?.[order] !== undefined) return 0;
      const passes = forms === undefined || forms.plain.size > 0 ? 1 : 2;
      return passes * product(value.shape.filter((size) => typeof size === "number"));
    };
    return missing(places) + missing(weights);
  }

  /**
   * The shape of channels at some places. These lie in two axes of which the last is more than 1: the runtime's threads share the one before,
   * and its passes with a single number are slow where the last one is 1.
   */
  #laidOut(channels: Dimension, places: Dimension): readonly Dimension[] {
    return [1, channels, quotientOf(places, this.#block), this.#block];
  }

  /** Places of `channels` by weights for each output and channel, with a bias for each output. */
  #convolved(places: Value, weights: Value, name: string, bias?: Value): Value {
    const [, outputs, ...channels] = weights.shape as readonly [Dimension, Dimension, ...Dimension[]];
    const kernel = this.#list.reshape(
      weights,
      this.#list.value(`${name}.weights`, [outputs, productOf(channels), 1, 1]),
    );
    const inputs = [places, kernel, ...(bias === undefined ? [] : [bias])];
    const given = this.#list.value(`${name}.blocked`, [1, outputs, ...places.shape.slice(2)]);
    return this.#list.blocked("Conv", inputs, given, onePlace);
  }

  /** Appends a node between products on blocks, or nothing where only a shape changes; whether that was possible. */
  #between(node: Node): boolean {
    const { operator, set, inputs, outputs, attributes } = node;
    const [y] = outputs as readonly [Value];
    if (set !== undefined || outputs.length !== 1 || y.dataType !== "FP32" || !isReshapable(y)) return false;
    if (keepsColumns(node) && this.#forms.get(inputs[0]!)?.plain.size === 0) {
      this.#forms.set(y, this.#forms.get(inputs[0]!)!);
      return true;
    }
    if (!elementwise.has(operator)) return false;
    const wide = inputs.filter(({ shape }) => shape.length > 0);
    const forms = wide.map((value) => this.#forms.get(value));
    const isBlocked = forms.every((each) => each?.byColumns !== undefined);
    if (!isBlocked || forms.every((each) => each!.plain.size > 0)) return false;
    if (wide.some(({ shape }) => `${shape}` !== `${y.shape}`)) return false;
    const { rows, columns } = forms[0]!;
    const given = this.#list.value(`${y.name}.blocked`, this.#laidOut(columns, rows));
    const taken = inputs.map((value) => this.#forms.get(value)?.byColumns ?? value);
    this.#list.append(operator, taken, given, attributes);
    this.#forms.set(y, { rows, columns, plain: new Set(), byColumns: given });
    return true;
  }

  /** Appends the sums over all rows of a matrix that is there in blocks of columns, as a product with ones; whether it is such a node. */
  #columnSums({ operator, set, inputs: [x, axes], outputs: [y], attributes }: Node): boolean {
    if (operator !== "ReduceSum" || set !== undefined || intOf(attributes, "keepdims", 1) !== 0) return false;
    const forms = this.#forms.get(x!);
    const others = x!.shape.slice(0, -1).map((_, axis) => axis);
    const isOverRows = axes?.elements !== undefined && `${[...axes.elements]}` === `${others}`;
    if (forms?.byColumns === undefined || !isOverRows || !this.#isWhole(forms.rows)) return false;
    const sums = this.#convolved(this.#onesOf(forms), forms.byColumns, y!.name);
    this.#list.reshape(sums, y!);
    return true;
  }

  /** As many ones as a matrix has rows, as [1, rows, 1, 1]. */
  #onesOf({ rows, byColumns }: Forms): Value {
    const known = this.#ones.get(rows);
    if (known !== undefined) return known;
    const list = this.#list;
    const one = list.constant({ dataType: "FP32", shape: [1, 1, 1, 1], elements: Float32Array.of(1) });
    const lone = list.constant({ dataType: "INT64", shape: [1], elements: BigInt64Array.of(1n) });
    const counts: Value = { ...list.value("rows", [2]), dataType: "INT64" };
    const sizes: Value = { ...list.value("sizes", [4]), dataType: "INT64" };
    list.append("Shape", [byColumns!], counts, { start: int(2), end: int(4) });
    list.append("Concat", [lone, counts, lone], sizes, { axis: int(0) });
    const apart = list.append("Expand", [one, sizes], list.value("ones", [1, ...byColumns!.shape.slice(2), 1]));
    const ones = list.reshape(apart, list.value("ones", [1, rows, 1, 1]));
    this.#ones.set(rows, ones);
    return ones;
  }

  /** A matrix in blocks. */
  #ordered(value: Value, order: Order): Value {
    const forms = this.#formsOf(value);
    const known = forms[order];
    if (known !== undefined) return known;
    if (forms.plain.size === 0) this.#plain(value);
    const [plain] = forms.plain;
    const { rows, columns } = forms;
    const isLast = order === "byColumns";
    const four = this.#list.reshape(plain!, this.#matrix(value, forms, order));
    const ordered = this.#list.value(
      `${value.name}.blocked`,
      isLast ? this.#laidOut(columns, rows) : this.#laidOut(rows, columns),
    );
    forms[order] = this.#list.blocked("ReorderInput", [four], ordered, { channels_last: int(isLast ? 1 : 0) });
    return ordered;
  }

  /** Appends what makes a value that is only there in blocks. */
  #plain(value: Value): void {
    const forms = this.#forms.get(value);
    if (forms === undefined || forms.plain.has(value)) return;
    const [other] = forms.plain;
    const { rows, columns, byColumns, byRows } = forms;
    const isLast = byColumns !== undefined;
    const attributes = { channels: int(Number(isLast ? columns : rows)), channels_last: int(isLast ? 1 : 0) };
    const matrix = () =>
      this.#list.blocked(
        "ReorderOutput",
        [byColumns ?? byRows!],
        this.#matrix(value, forms, isLast ? "byColumns" : "byRows"),
        attributes,
      );
    this.#list.reshape(other ?? matrix(), value);
    forms.plain.add(value);
  }

  /** A matrix row by row, in the axes that the runtime puts in order: its columns last, or its rows first. */
  #matrix({ name }: Value, { rows, columns }: Forms, order: Order): Value {
    const [, channels, ...places] = order === "byColumns" ? this.#laidOut(columns, rows) : this.#laidOut(rows, columns);
    const shape = order === "byColumns" ? [1, ...places, channels!] : [1, channels!, ...places];
    return this.#list.value(`${name}.matrix`, shape);
  }

  #formsOf(value: Value): Forms {
    const known = this.#forms.get(value);
    if (known !== undefined) return known;
    const { shape } = value;
    const forms = { rows: productOf(shape.slice(0, -1)), columns: shape.at(-1)!, plain: new Set([value]) };
    this.#forms.set(value, forms);
    return forms;
  }

  /** What a Reshape gives is the matrix that it was given. */
  #share({ inputs: [x], outputs: [y] }: Node): void {
    const forms = this.#formsOf(x!);
    forms.plain.add(y!);
    this.#forms.set(y!, forms);
  }
}

const onePlace: Attributes = {
  auto_pad: string("NOTSET"),
  kernel_shape: ints([1, 1]),
  strides: ints([1, 1]),
  dilations: ints([1, 1]),
  pads: ints([0, 0, 0, 0]),
};

/** Whether either operand of a product in single precision is transposed first; undefined for what is no plain product. */
function turnsOf({ operator, set, inputs, outputs, attributes }: Node): readonly [boolean, boolean] | undefined {
  const [a, b, bias] = inputs;
  if (operator !== "Gemm" || set !== undefined) return undefined;
  const isKnown = [a!, b!, outputs[0]!].every(({ dataType, shape, unknown, elements }) => {
    return dataType === "FP32" && unknown === undefined && shape.length === 2 && elements === undefined;
  });
  const isPlain = ["alpha", "beta"].every((name) => floatOf(attributes, name, 1) === 1);
  const hasRow = bias === undefined || (bias.shape.length === 1 && bias.shape[0] === outputs[0]!.shape[1]);
  if (!isKnown || !isPlain || !hasRow) return undefined;
  return [intOf(attributes, "transA", 0) === 1, intOf(attributes, "transB", 0) === 1];
}

/** Whether a node only changes the shape of its input, and not its last axis. */
function keepsColumns({ operator, set, inputs: [x], outputs: [y] }: Node): boolean {
  if (operator !== "Reshape" || set !== undefined) return false;
  const isMatrix = [x!, y!].every(({ shape, unknown }) => unknown === undefined && shape.length >= 2);
  return isMatrix && x!.shape.at(-1) === y!.shape.at(-1) && x!.dataType === "FP32";
}

/** Whether one of its sizes at most is not known. */
function isReshapable({ shape, unknown }: Value): boolean {
  return unknown === undefined && shape.filter((size) => typeof size === "string").length <= 1;
}
