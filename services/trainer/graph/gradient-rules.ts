import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Attributes, Value } from "../../../lib/onnx/graph.ts";
import type { Operator } from "../../../lib/onnx/operators.ts";

/** A node whose output's gradient is known, and the graph that the gradients of its inputs are appended to. */
export interface Derivation {
  readonly graph: GraphBuilder;
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
  readonly output: Value;
  /** Of the output's shape. */
  readonly dy: Value;
}

/**
 * The gradients of a node's inputs, in the inputs' order: each appends its nodes when it is called, which happens only
 * where it is needed. An input without an entry (axes, sizes, conditions) passes no gradient on. A gradient has the
 * shape that its input has after broadcasting; the walk sums it back.
 */
export type GradientRule = (derivation: Derivation) => readonly ((() => Value) | undefined)[];

/** Every operator of a builder: how its gradient is made, or `undefined` where there is none. */
export const gradientRules = {
  Add: ({ dy }) => [() => dy, () => dy],
  Sub: ({ graph, dy }) => [() => dy, () => graph.neg(dy)],
  Mul: ({ graph, inputs: [a, b], dy }) => [() => graph.mul(dy, b), () => graph.mul(dy, a)],
  Div: ({ graph, inputs: [, b], output, dy }) => [
    () => graph.div(dy, b),
    () => graph.neg(graph.mul(dy, graph.div(output, b))),
  ],
  Pow: ({ graph, inputs: [base, exponent], output, dy }) => [
    () => graph.mul(dy, graph.mul(exponent, graph.pow(base, graph.sub(exponent, like(graph, 1, exponent))))),
    () => graph.mul(dy, graph.mul(output, graph.log(base))),
  ],
  Neg: ({ graph, dy }) => [() => graph.neg(dy)],
  Exp: ({ graph, output, dy }) => [() => graph.mul(dy, output)],
  Log: ({ graph, inputs: [x], dy }) => [() => graph.div(dy, x)],
  Sqrt: ({ graph, output, dy }) => [() => graph.div(graph.mul(dy, like(graph, 0.5, dy)), output)],
  Relu: ({ graph, output, dy }) => [
    () => graph.where(graph.greater(output, like(graph, 0, dy)), dy, like(graph, 0, dy)),
  ],
  Tanh: ({ graph, output, dy }) => [() => graph.mul(dy, graph.sub(like(graph, 1, dy), graph.mul(output, output)))],
  Sigmoid: ({ graph, output, dy }) => [() => graph.mul(dy, graph.mul(output, graph.sub(like(graph, 1, dy), output)))],
  Softmax: ({ graph, output, attributes, dy }) => [
    () => {
      const weighted = graph.mul(dy, output);
      return graph.sub(weighted, graph.mul(output, graph.reduceSum(weighted, [axisOf(attributes)], true)));
    },
  ],
  LogSoftmax: ({ graph, output, attributes, dy }) => [
    () => graph.sub(dy, graph.mul(graph.exp(output), graph.reduceSum(dy, [axisOf(attributes)], true))),
  ],
  Identity: ({ dy }) => [() => dy],
  Equal: undefined,
  Greater: undefined,
  Where: ({ graph, inputs: [condition], dy }) => [
    undefined,
    () => graph.where(condition, dy, like(graph, 0, dy)),
    () => graph.where(condition, like(graph, 0, dy), dy),
  ],
  Cast: ({ graph, inputs: [x], dy }) => [() => graph.cast(dy, x.dataType)],
  MatMul: ({ graph, inputs: [a, b], dy }) => [
    () => graph.matMul(dy, turned(graph, b)),
    () => graph.matMul(turned(graph, a), dy),
  ],
  Gemm: ({ graph, inputs: [a, b], attributes, dy }) => {
    const [turnA, turnB] = [isSet(attributes, "transA"), isSet(attributes, "transB")];
    return [
      () =>
        turnA
          ? graph.gemm(b, dy, undefined, { transposeA: turnB, transposeB: true })
          : graph.gemm(dy, b, undefined, { transposeB: !turnB }),
      () =>
        turnB
          ? graph.gemm(dy, a, undefined, { transposeA: true, transposeB: turnA })
          : graph.gemm(a, dy, undefined, { transposeA: !turnA }),
      () => dy,
    ];
  },
  ReduceSum: (derivation) => [() => repeated(derivation, derivation.dy), undefined],
  ReduceMean: (derivation) => [() => repeated(derivation, shareOf(derivation)), undefined],
  ArgMax: undefined,
  Reshape: ({ graph, inputs: [x], dy }) => [() => graph.reshape(dy, graph.shapeOf(x)), undefined],
  Expand: ({ dy }) => [() => dy, undefined],
  Unsqueeze: ({ graph, inputs: [x], dy }) => [() => graph.reshape(dy, graph.shapeOf(x)), undefined],
  Transpose: ({ graph, attributes: { perm }, dy }) => [
    () => graph.transpose(dy, perm.kind === "ints" ? perm.value.map((_, axis) => perm.value.indexOf(axis)) : []),
  ],
  Gather: undefined,
  Shape: undefined,
  Size: undefined,
} as const satisfies Record<Operator, GradientRule | undefined>;

function like(graph: GraphBuilder, number: number, { dataType }: Value): Value {
  return graph.scalar(number, dataType);
}

/** A stack of matrices with each one transposed. */
function turned(graph: GraphBuilder, x: Value): Value {
  const axes = x.shape.map((_, axis) => axis);
  const [row, column] = axes.slice(-2);
  return graph.transpose(x, [...axes.slice(0, -2), column, row]);
}

/** Repeats what a reduction's gradient is along the axes that were reduced. */
function repeated({ graph, inputs: [x, axes], attributes }: Derivation, gradient: Value): Value {
  const dropped = attributes.keepdims?.value === 0 && axes !== undefined;
  const reducedAxes = Array.from(axes?.elements ?? [], Number);
  const kept = reducedAxes.map((axis) => (axis < 0 ? axis + x.shape.length : axis)).sort((a, b) => a - b);
  return graph.expand(dropped ? graph.unsqueeze(gradient, kept) : gradient, graph.shapeOf(x));
}

/** The gradient of a mean, shared out over the elements that it was taken over. */
function shareOf({ graph, inputs: [x], output, dy }: Derivation): Value {
  const elementCount = (value: Value) => graph.cast(graph.size(value), dy.dataType);
  return graph.div(graph.mul(dy, elementCount(output)), elementCount(x));
}

function axisOf({ axis }: Attributes): number {
  return axis?.kind === "int" ? axis.value : -1;
}

function isSet(attributes: Attributes, name: string): boolean {
  return attributes[name]?.value === 1;
}
