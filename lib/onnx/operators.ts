import { assert } from "../errors.ts";
import type { DataType } from "../tensor.ts";
import type { Attributes, Dimension, Shape, Value } from "./graph.ts";
import { broadcastShape, reducedShape, resolvedShape } from "./shapes.ts";

/** What is known of a node's output before the graph runs. */
export interface ValueType {
  readonly dataType: DataType;
  readonly shape: Shape;
  /** For an INT64 vector that holds sizes: its elements, as far as they are known or have a name. */
  readonly sizes?: Shape;
}

/** An output's type from the node's inputs and attributes; fails on inputs that the operator cannot take. */
type Inference = (inputs: readonly Value[], attributes: Attributes) => ValueType;

const elementwise: Inference = (inputs) => {
  const [{ dataType }] = inputs;
  assert(
    inputs.every((input) => input.dataType === dataType),
    `operands have one data type, not ${inputs.map((input) => input.dataType)}`,
  );
  return { dataType, shape: inputs.map(({ shape }) => shape).reduce(broadcastShape) };
};
const comparison: Inference = (inputs, attributes) => ({ ...elementwise(inputs, attributes), dataType: "BOOL" });
const reduction: Inference = ([x, axes], attributes) => ({
  dataType: x.dataType,
  shape: reducedShape(x.shape, axes && sizesOf(axes).map(Number), intOf(attributes, "keepdims", 1) === 1),
});

/**
 * The operators that a builder can append (ONNX opset 18) and the type of what each gives. Operators whose outputs
 * depend on subgraphs (Loop) are typed where they are built.
 */
export const operators = {
  Add: elementwise,
  Sub: elementwise,
  Mul: elementwise,
  Div: elementwise,
  Pow: elementwise,
  Neg: elementwise,
  Exp: elementwise,
  Log: elementwise,
  Sqrt: elementwise,
  Relu: elementwise,
  Tanh: elementwise,
  Sigmoid: elementwise,
  Softmax: elementwise,
  LogSoftmax: elementwise,
  Identity: elementwise,
  Equal: comparison,
  Greater: comparison,
  Where: ([condition, ...choices], attributes) => {
    const { dataType, shape } = elementwise(choices, attributes);
    return { dataType, shape: broadcastShape(condition.shape, shape) };
  },
  Cast: ([{ shape }], attributes) => ({ dataType: typeOf(attributes, "to"), shape }),
  MatMul: ([a, b]) => ({ dataType: a.dataType, shape: productShape(a.shape, b.shape) }),
  Gemm: ([a, b], attributes) => {
    const turned = (shape: Shape, flag: string) => (intOf(attributes, flag, 0) === 1 ? shape.toReversed() : shape);
    assert(a.shape.length === 2 && b.shape.length === 2, "Gemm multiplies matrices");
    return { dataType: a.dataType, shape: productShape(turned(a.shape, "transA"), turned(b.shape, "transB")) };
  },
  ReduceSum: reduction,
  ReduceMean: reduction,
  ArgMax: ([{ shape }], attributes) => ({
    dataType: "INT64",
    shape: reducedShape(shape, [intOf(attributes, "axis", 0)], intOf(attributes, "keepdims", 1) === 1),
  }),
  Reshape: ([x, to]) => ({ dataType: x.dataType, shape: resolvedShape(x.shape, sizesOf(to)) }),
  Expand: ([x, to]) => ({ dataType: x.dataType, shape: broadcastShape(x.shape, sizesOf(to)) }),
  Unsqueeze: ([x, axes]) => ({ dataType: x.dataType, shape: unsqueezed(x.shape, sizesOf(axes).map(Number)) }),
  Transpose: ([{ dataType, shape }], attributes) => {
    const { perm } = attributes;
    assert(perm?.kind === "ints" && perm.value.length === shape.length, "a permutation names every axis");
    return { dataType, shape: perm.value.map((axis) => shape[axis]) };
  },
  Gather: ([x, indices], attributes) => {
    const axis = intOf(attributes, "axis", 0);
    return { dataType: x.dataType, shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)] };
  },
  Shape: ([{ shape }]) => ({ dataType: "INT64", shape: [shape.length], sizes: shape }),
  Size: () => ({ dataType: "INT64", shape: [] }),
} as const satisfies Record<string, Inference>;

export type Operator = keyof typeof operators;

function productShape(a: Shape, b: Shape): Shape {
  assert(a.length >= 2 && b.length >= 2, "matrix products take at least two dimensions");
  const [inner, outer] = [a.at(-1), b.at(-2)];
  assert(inner === outer, `the matrices' inner sizes are equal, not ${inner} and ${outer}`);
  return [...broadcastShape(a.slice(0, -2), b.slice(0, -2)), a.at(-2) as Dimension, b.at(-1) as Dimension];
}

function unsqueezed(shape: Shape, axes: readonly number[]): Shape {
  const rest = [...shape];
  return Array.from({ length: shape.length + axes.length }, (_, axis) =>
    axes.includes(axis) ? 1 : (rest.shift() as Dimension),
  );
}

function sizesOf(value: Value): Shape {
  if (value.sizes !== undefined) return value.sizes;
  assert(value.elements !== undefined, `the sizes in ${value.name} are known when the graph is built`);
  return Array.from(value.elements, Number);
}

function intOf(attributes: Attributes, name: string, byDefault: number): number {
  const attribute = attributes[name];
  return attribute?.kind === "int" ? attribute.value : byDefault;
}

function typeOf(attributes: Attributes, name: string): DataType {
  const attribute = attributes[name];
  assert(attribute?.kind === "type", `the attribute ${name} is a data type`);
  return attribute.value;
}
