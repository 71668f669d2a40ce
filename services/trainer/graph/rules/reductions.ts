import { int } from "../../../../lib/onnx/attributes.ts";
import type { Attributes, Value } from "../../../../lib/onnx/graph.ts";
import { intOf } from "../../../../lib/onnx/operators/inference.ts";
import { reducedAxes, type reductionOperators } from "../../../../lib/onnx/operators/reductions.ts";
import { product } from "../../../../lib/onnx/shapes.ts";
import { areTurned } from "./matrices.ts";
import { type Derivation, like, type Rules } from "./rule.ts";

/** Rules of operators that look at all elements along some axes. */
export const reductionRules = {
  ReduceSum: (derivation) => [() => repeated(derivation, derivation.dy)],
  ReduceMean: (derivation) => [
    () => repeated(derivation, shareOf(derivation, reducedAxes(derivation.inputs, derivation.attributes))),
  ],
  ReduceMax: sharedByEquals,
  ReduceMin: sharedByEquals,
  /** For each element the product of the others, which is 0 where another one is 0. */
  ReduceProd: (derivation) => [
    () => {
      const { graph, inputs, attributes, dy } = derivation;
      const [x] = inputs;
      const isZero = graph.equal(x, like(graph, 0, x));
      const zeroCount = graph.cast(isZero, x.dataType);
      const nonZero = graph.where(isZero, like(graph, 1, x), x);
      const over = (operator: "ReduceProd" | "ReduceSum", value: Value) =>
        kept(derivation, graph.node(operator, [value, ...inputs.slice(1)], attributes));
      const isOnlyZero = graph.equal(over("ReduceSum", zeroCount), zeroCount);
      const others = graph.where(isOnlyZero, graph.div(over("ReduceProd", nonZero), nonZero), like(graph, 0, x));
      return graph.mul(kept(derivation, dy), others);
    },
  ],
  ReduceL1: (derivation) => [
    () => derivation.graph.mul(kept(derivation, derivation.dy), derivation.graph.node("Sign", [derivation.inputs[0]])),
  ],
  /** x / ‖x‖; 0 where the norm is 0, as in `torch.linalg.vector_norm`. */
  ReduceL2: (derivation) => [
    () => {
      const { graph, inputs, output, dy } = derivation;
      const ratio = graph.where(graph.equal(output, like(graph, 0, dy)), like(graph, 0, dy), graph.div(dy, output));
      return graph.mul(inputs[0], kept(derivation, ratio));
    },
  ],
  ReduceSumSquare: (derivation) => [
    () => {
      const { graph, inputs, dy } = derivation;
      return graph.mul(inputs[0], kept(derivation, graph.mul(dy, like(graph, 2, dy))));
    },
  ],
  /** y = log Σx, so y′ = e⁻ʸ. */
  ReduceLogSum: (derivation) => [
    () => {
      const { graph, output, dy } = derivation;
      return repeated(derivation, graph.mul(dy, graph.exp(graph.neg(output))));
    },
  ],
  /** y = log Σeˣ, so y′ = eˣ⁻ʸ. */
  ReduceLogSumExp: (derivation) => [
    () => {
      const { graph, inputs, output, dy } = derivation;
      return graph.mul(kept(derivation, dy), graph.exp(graph.sub(inputs[0], kept(derivation, output))));
    },
  ],
  ArgMax: undefined,
  ArgMin: undefined,
  /** y·(dy − Σ y·dy). */
  Softmax: (derivation) => [
    () => {
      const { graph, output, attributes, dy } = derivation;
      const sum = sumThroughProduct(derivation) ?? graph.reduceSum(graph.mul(dy, output), [axisOf(attributes)], true);
      return graph.mul(output, graph.sub(dy, sum));
    },
  ],
  LogSoftmax: ({ graph, output, attributes, dy }) => [
    () => graph.sub(dy, graph.mul(graph.exp(output), graph.reduceSum(dy, [axisOf(attributes)], true))),
  ],
  /** Each element is part of the sums after it: they are summed from the other end. */
  CumSum: ({ graph, inputs: [, axis], attributes, dy }) => {
    const reverse = int(1 - intOf(attributes, "reverse", 0));
    return [() => graph.node("CumSum", [dy, axis], { ...attributes, reverse })];
  },
} as const satisfies Rules<typeof reductionOperators>;

/** What a reduction gave, or its gradient, with the reduced axes as 1; a scalar broadcasts as it is. */
function kept({ graph, inputs, attributes }: Derivation, value: Value): Value {
  const axes = reducedAxes(inputs, attributes);
  const isKept = intOf(attributes, "keepdims", 1) === 1 || axes.length === 0 || value.shape.length === 0;
  return isKept ? value : graph.unsqueeze(value, axes);
}

/** Repeats what a reduction's gradient is along the axes that were reduced. */
function repeated(derivation: Derivation, gradient: Value): Value {
  const { graph, inputs } = derivation;
  return graph.expand(kept(derivation, gradient), graph.shapeOf(inputs[0]));
}

/** The gradient of a largest or smallest element; equals share it, as in `torch.amax` and `torch.amin`. */
function sharedByEquals(derivation: Derivation): (() => Value)[] {
  return [
    () => {
      const { graph, inputs, attributes, output, dy } = derivation;
      const isOutput = graph.cast(graph.equal(inputs[0], kept(derivation, output)), dy.dataType);
      const equalCount = graph.node("ReduceSum", [isOutput, ...inputs.slice(1)], attributes);
      return graph.mul(isOutput, kept(derivation, graph.div(dy, equalCount)));
    },
  ];
}

/** The gradient of a mean over `axes`, shared out over the elements that it was taken over. */
export function shareOf({ graph, inputs: [x], output, dy }: Derivation, axes: readonly number[]): Value {
  const count = product(axes.map((axis) => x.shape[axis]));
  if (!Number.isNaN(count)) return graph.mul(dy, like(graph, 1 / count, dy));
  const elementCount = (value: Value) => graph.cast(graph.size(value), dy.dataType);
  return graph.div(graph.mul(dy, elementCount(output)), elementCount(x));
}

/**
 * Where shares y of attention took values as O = y·V, so that dy is dO·Vᵀ: Σ y·dy along a row is Σ O·dO (Dao et al. 2022, section 3.1), which
 * has fewer elements. Undefined elsewhere.
 */
function sumThroughProduct({ graph, output: y, attributes, dy }: Derivation): Value | undefined {
  const last = y.shape.length - 1;
  const [slope, right] = dy.producer?.operator === "MatMul" ? dy.producer.inputs : [];
  if (slope === undefined || right === undefined || ![last, -1].includes(axisOf(attributes))) return undefined;
  const taken = graph.nodes.find(({ operator, inputs }) => {
    return operator === "MatMul" && inputs[0] === y && areTurned(inputs[1], right);
  })?.outputs[0];
  const isSmaller = taken !== undefined && Number(taken.shape[last]) < Number(y.shape[last]);
  if (!isSmaller || `${taken.shape}` !== `${slope.shape}`) return undefined;
  return graph.reduceSum(graph.mul(taken, slope), [last], true);
}

function axisOf({ axis }: Attributes): number {
  return axis?.kind === "int" ? axis.value : -1;
}
