import { type Cases, one, positive, two } from "./case.ts";

export const elementwiseCases: Cases = {
  Add: [{ shapes: two, apply: (graph, [a, b]) => graph.add(a, b) }],
  Sub: [{ shapes: two, apply: (graph, [a, b]) => graph.sub(a, b) }],
  Mul: [
    { shapes: two, apply: (graph, [a, b]) => graph.mul(a, b) },
    { shapes: one, apply: (graph, [x]) => graph.mul(x, x) },
  ],
  Div: [{ shapes: two, range: positive, apply: (graph, [a, b]) => graph.div(a, b) }],
  Pow: [
    { shapes: one, range: positive, apply: (graph, [x]) => graph.pow(x, graph.scalar(3, "FP64")) },
    { shapes: two, range: positive, apply: (graph, [a, b]) => graph.pow(a, b) },
  ],
  Neg: [{ shapes: one, apply: (graph, [x]) => graph.neg(x) }],
  Exp: [{ shapes: one, apply: (graph, [x]) => graph.exp(x) }],
  Log: [{ shapes: one, range: positive, apply: (graph, [x]) => graph.log(x) }],
  Sqrt: [{ shapes: one, range: positive, apply: (graph, [x]) => graph.sqrt(x) }],
  Relu: [{ shapes: one, apply: (graph, [x]) => graph.relu(x) }],
  Tanh: [{ shapes: one, apply: (graph, [x]) => graph.tanh(x) }],
  Sigmoid: [{ shapes: one, apply: (graph, [x]) => graph.sigmoid(x) }],
  Identity: [{ shapes: one, apply: (graph, [x]) => graph.identity(x) }],
  Where: [
    {
      shapes: two,
      apply: (graph, [a, b]) => graph.where(graph.greater(a, graph.scalar(0, "FP64")), a, b),
    },
  ],
  Cast: [{ shapes: one, apply: (graph, [x]) => graph.node("Cast", [x], { to: { kind: "type", value: "FP64" } }) }],
};
