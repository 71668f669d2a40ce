import fc from "fast-check";
import { float, string } from "../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Attributes, Value } from "../../../lib/onnx/graph.ts";
import type { Operator } from "../../../lib/onnx/operators/operators.ts";
import { type Case, type Cases, one, scalar, two } from "./case.ts";
import { erf } from "./elementwise.ts";

type Composition = (graph: GraphBuilder, x: Value, numbers: Readonly<Record<string, number>>) => Value;

/** An activation with each set of its attributes, beside the same out of operators that run in double precision. */
const activation = (
  operator: Operator,
  composed: Composition,
  defaults: Readonly<Record<string, number>> = {},
  ...others: readonly Readonly<Record<string, number>>[]
): readonly Case[] =>
  [{}, ...others].map((numbers) => ({
    shapes: one,
    // No number that is spread over this range is near a kink.
    range: [-4.1, 4.03],
    distinct: true,
    apply: (graph, [x]) => graph.node(operator, [x], floats(numbers)),
    composed: (graph, [x]) => composed(graph, x, { ...defaults, ...numbers }),
  }));

const floats = (numbers: Readonly<Record<string, number>>): Attributes =>
  Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, float(value)]));
const above = (graph: GraphBuilder, x: Value, high: Value, low: Value, bound = 0) =>
  graph.where(graph.greater(x, scalar(graph, bound)), high, low);
const scaled = (graph: GraphBuilder, x: Value, by: number) => graph.mul(x, scalar(graph, by));
const shifted = (graph: GraphBuilder, x: Value, by: number) => graph.add(x, scalar(graph, by));
const softplus = (graph: GraphBuilder, x: Value) => graph.log(shifted(graph, graph.exp(x), 1));
const elu = (graph: GraphBuilder, x: Value, alpha: number, decay = 1) =>
  above(graph, x, x, scaled(graph, shifted(graph, graph.exp(scaled(graph, x, 1 / decay)), -1), alpha));
const ramp = (graph: GraphBuilder, x: Value, alpha: number, beta: number) =>
  graph.node("Clip", [shifted(graph, scaled(graph, x, alpha), beta), scalar(graph, 0), scalar(graph, 1)]);
const gelu = (approximation: string | undefined, range: Case["range"], composed: Case["composed"]): Case => ({
  shapes: one,
  range,
  apply: (graph, [x]) =>
    graph.node("Gelu", [x], approximation === undefined ? {} : { approximate: string(approximation) }),
  composed,
});
const exactGelu: Case["composed"] = (graph, [x]) =>
  graph.mul(x, scaled(graph, shifted(graph, erf(graph, scaled(graph, x, Math.SQRT1_2)), 1), 0.5));

export const activationCases: Cases = {
  Relu: [{ shapes: one, apply: (graph, [x]) => graph.relu(x) }],
  LeakyRelu: activation(
    "LeakyRelu",
    (graph, x, { alpha }) => above(graph, x, x, scaled(graph, x, alpha)),
    { alpha: 0.01 },
    { alpha: 0.3 },
  ),
  ThresholdedRelu: activation(
    "ThresholdedRelu",
    (graph, x, { alpha }) => above(graph, x, x, scaled(graph, x, 0), alpha),
    { alpha: 1 },
    { alpha: 0.5 },
  ),
  PRelu: [
    {
      shapes: fc.tuple(two).map(([[a, b]]) => (a.length > b.length ? [a, b] : [b, a.length === b.length ? b : a])),
      apply: (graph, [x, slope]) => graph.node("PRelu", [x, slope]),
      composed: (graph, [x, slope]) => above(graph, x, x, graph.mul(x, slope)),
    },
  ],
  Elu: activation("Elu", (graph, x, { alpha }) => elu(graph, x, alpha), { alpha: 1 }, { alpha: 0.5 }),
  Celu: activation("Celu", (graph, x, { alpha }) => elu(graph, x, alpha, alpha), { alpha: 1 }, { alpha: 2 }),
  Selu: activation(
    "Selu",
    (graph, x, { alpha, gamma }) => scaled(graph, elu(graph, x, alpha), gamma),
    { alpha: 1.6732631921768188, gamma: 1.0507010221481323 },
    { alpha: 0.5, gamma: 2 },
  ),
  Sigmoid: [{ shapes: one, apply: (graph, [x]) => graph.sigmoid(x) }],
  HardSigmoid: activation(
    "HardSigmoid",
    (graph, x, { alpha, beta }) => ramp(graph, x, alpha, beta),
    { alpha: 0.2, beta: 0.5 },
    { alpha: 0.5, beta: 0.25 },
  ),
  HardSwish: activation("HardSwish", (graph, x) => graph.mul(x, ramp(graph, x, 1 / 6, 0.5))),
  Tanh: [{ shapes: one, apply: (graph, [x]) => graph.tanh(x) }],
  Softplus: activation("Softplus", softplus),
  Softsign: activation("Softsign", (graph, x) => graph.div(x, shifted(graph, graph.node("Abs", [x]), 1))),
  Gelu: [
    gelu(undefined, [-2, 2], exactGelu),
    gelu("none", [-2, 2], exactGelu),
    gelu("tanh", [-4, 4], (graph, [x]) => {
      const inner = graph.mul(x, shifted(graph, scaled(graph, graph.mul(x, x), 0.044715), 1));
      return graph.mul(
        x,
        scaled(graph, shifted(graph, graph.tanh(scaled(graph, inner, Math.sqrt(2 / Math.PI))), 1), 0.5),
      );
    }),
  ],
  Mish: activation("Mish", (graph, x) => graph.mul(x, graph.tanh(softplus(graph, x)))),
};
