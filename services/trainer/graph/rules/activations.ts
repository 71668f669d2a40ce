import { float } from "../../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import type { activationOperators } from "../../../../lib/onnx/operators/activations.ts";
import { floatOf, stringOf } from "../../../../lib/onnx/operators/inference.ts";
import { type Derivation, like, type Rules } from "./rule.ts";

/** Rules of non-linear functions; at a kink each takes the side that PyTorch takes. */
export const activationRules = {
  Relu: ({ graph, output, dy }) => [() => above(graph, 0, output, dy, like(graph, 0, dy))],
  LeakyRelu: ({ graph, inputs: [x], attributes, dy }) => [
    () => above(graph, 0, x, dy, graph.mul(dy, like(graph, floatOf(attributes, "alpha", 0.01), dy))),
  ],
  ThresholdedRelu: ({ graph, inputs: [x], attributes, dy }) => [
    () => above(graph, floatOf(attributes, "alpha", 1), x, dy, like(graph, 0, dy)),
  ],
  PRelu: ({ graph, inputs: [x, slope], dy }) => [
    () => above(graph, 0, x, dy, graph.mul(dy, slope)),
    () => above(graph, 0, x, like(graph, 0, dy), graph.mul(dy, x)),
  ],
  /** Below 0, y = α(eˣ − 1), so y′ = y + α. */
  Elu: ({ graph, inputs: [x], attributes, output, dy }) => [
    () => above(graph, 0, x, dy, graph.mul(dy, graph.add(output, like(graph, floatOf(attributes, "alpha", 1), dy)))),
  ],
  /** Below 0, y = α(exp(x/α) − 1), so y′ = y/α + 1. */
  Celu: ({ graph, inputs: [x], attributes, output, dy }) => {
    const ratio = () => graph.div(output, like(graph, floatOf(attributes, "alpha", 1), dy));
    return [() => above(graph, 0, x, dy, graph.mul(dy, graph.add(ratio(), like(graph, 1, dy))))];
  },
  /** γ · Elu (Klambauer et al. 2017). */
  Selu: ({ graph, inputs: [x], attributes, output, dy }) => {
    const alpha = floatOf(attributes, "alpha", 1.6732631921768188);
    const gamma = floatOf(attributes, "gamma", 1.0507010221481323);
    const below = () => graph.mul(dy, graph.add(output, like(graph, alpha * gamma, dy)));
    return [() => above(graph, 0, x, graph.mul(dy, like(graph, gamma, dy)), below())];
  },
  Sigmoid: ({ graph, output, dy }) => [() => graph.mul(dy, graph.mul(output, graph.sub(like(graph, 1, dy), output)))],
  HardSigmoid: ({ graph, attributes, output, dy }) => [
    () => {
      const slope = graph.mul(dy, like(graph, floatOf(attributes, "alpha", 0.2), dy));
      const zero = like(graph, 0, dy);
      return above(graph, 0, output, graph.where(graph.node("Less", [output, like(graph, 1, dy)]), slope, zero), zero);
    },
  ],
  /** x · max(0, min(1, x/6 + 1/2)): from −3 to 3 the slope is x/3 + 1/2. */
  HardSwish: ({ graph, inputs: [x], dy }) => [
    () => {
      const inner = graph.mul(dy, graph.add(graph.div(x, like(graph, 3, x)), like(graph, 0.5, x)));
      const bent = above(graph, -3, x, inner, like(graph, 0, dy));
      return graph.where(graph.node("Less", [x, like(graph, 3, x)]), bent, dy);
    },
  ],
  Tanh: ({ graph, output, dy }) => [() => graph.mul(dy, graph.sub(like(graph, 1, dy), graph.mul(output, output)))],
  Softplus: ({ graph, inputs: [x], dy }) => [() => graph.mul(dy, graph.sigmoid(x))],
  /** x/(1 + |x|), whose slope is 1/(1 + |x|)². */
  Softsign: ({ graph, inputs: [x], dy }) => [
    () => {
      const scale = graph.add(graph.node("Abs", [x]), like(graph, 1, x));
      return graph.div(dy, graph.mul(scale, scale));
    },
  ],
  Gelu: (derivation) => {
    const approximation = stringOf(derivation.attributes, "approximate", "none");
    return [() => (approximation === "tanh" ? geluByTanh(derivation) : gelu(derivation))];
  },
  /** x · tanh(softplus(x)) (Misra 2019). */
  Mish: ({ graph, inputs: [x], dy }) => [
    () => {
      const gate = graph.tanh(graph.node("Softplus", [x]));
      const bend = graph.mul(graph.mul(x, graph.sigmoid(x)), graph.sub(like(graph, 1, x), graph.mul(gate, gate)));
      return graph.mul(dy, graph.add(gate, bend));
    },
  ],
} as const satisfies Rules<typeof activationOperators>;

/**
 * x·Φ(x) with the normal distribution's Φ (Hendrycks & Gimpel 2016): Φ(x) + x·φ(x), in as few passes as it takes. With z = x/√2 they are
 * ½ + ½·erf(z), which is what HardSigmoid makes of erf(z), and z/(√π · exp(z²)).
 */
function gelu({ graph, inputs: [x], dy }: Derivation): Value {
  const number = (value: number) => like(graph, value, x);
  const z = graph.mul(x, number(Math.SQRT1_2));
  const area = graph.node("HardSigmoid", [graph.node("Erf", [z])], { alpha: float(0.5), beta: float(0.5) });
  const density = graph.mul(graph.div(z, graph.exp(graph.mul(z, z))), number(1 / Math.sqrt(Math.PI)));
  return graph.mul(dy, graph.add(area, density));
}

/** x/2 · (1 + t), t = tanh(√(2/π)·(x + 0.044715x³)). */
function geluByTanh({ graph, inputs: [x], dy }: Derivation): Value {
  const number = (value: number) => like(graph, value, x);
  const [scale, bend] = [Math.sqrt(2 / Math.PI), 0.044715];
  const square = graph.mul(x, x);
  const tanh = graph.tanh(graph.mul(x, graph.add(number(scale), graph.mul(square, number(scale * bend)))));
  const inner = graph.add(number(scale), graph.mul(square, number(3 * scale * bend)));
  const turning = graph.mul(graph.mul(x, inner), graph.sub(number(1), graph.mul(tanh, tanh)));
  return graph.mul(graph.mul(dy, number(0.5)), graph.add(graph.add(number(1), tanh), turning));
}

/** `high` where x is above the bound, `low` elsewhere. */
function above(graph: GraphBuilder, bound: number, x: Value, high: Value, low: Value): Value {
  return graph.where(graph.greater(x, like(graph, bound, x)), high, low);
}
