import type { Attributes, Value } from "../../../../lib/onnx/graph.ts";
import type { reductionOperators } from "../../../../lib/onnx/operators/reductions.ts";
import type { Derivation, Rules } from "./rule.ts";

/** Rules of operators that look at all elements along some axes. */
export const reductionRules = {
  ReduceSum: (derivation) => [() => repeated(derivation, derivation.dy), undefined],
  ReduceMean: (derivation) => [() => repeated(derivation, shareOf(derivation)), undefined],
  ArgMax: undefined,
  Softmax: ({ graph, output, attributes, dy }) => [
    () => {
      const weighted = graph.mul(dy, output);
      return graph.sub(weighted, graph.mul(output, graph.reduceSum(weighted, [axisOf(attributes)], true)));
    },
  ],
  LogSoftmax: ({ graph, output, attributes, dy }) => [
    () => graph.sub(dy, graph.mul(graph.exp(output), graph.reduceSum(dy, [axisOf(attributes)], true))),
  ],
} as const satisfies Rules<typeof reductionOperators>;

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
