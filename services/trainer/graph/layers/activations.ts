import { float, string } from "../../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import { specError } from "../spec-error.ts";
import { checkFinite, checkPositive, elementwise, type LayerKind, type Place } from "./layer-kind.ts";

/** A function of each element without fields, by the name and formula of PyTorch's module. */
export type PlainActivation = { [K in keyof typeof plain]: { readonly kind: K } }[keyof typeof plain];

/** x above 0, and `slope`, 0.01 by default, times x below. */
export interface LeakyRelu {
  readonly kind: "leaky_relu";
  readonly slope?: number | undefined;
}

/** x above 0, and `alpha`, 1 by default, times eˣ − 1 below. */
export interface Elu {
  readonly kind: "elu";
  readonly alpha?: number | undefined;
}

/** x·Φ(x), or its approximation by tanh (Hendrycks and Gimpel 2016). */
export interface Gelu {
  readonly kind: "gelu";
  readonly approximate?: boolean | undefined;
}

/** eˣ over its sum along the last axis. */
export interface Softmax {
  readonly kind: "softmax";
}

export type Activation = PlainActivation | LeakyRelu | Elu | Gelu | Softmax;

const plain = {
  relu: (graph, x) => graph.relu(x),
  tanh: (graph, x) => graph.tanh(x),
  sigmoid: (graph, x) => graph.sigmoid(x),
  selu: (graph, x) => graph.node("Selu", [x]),
  silu: (graph, x) => graph.mul(x, graph.sigmoid(x)),
  mish: (graph, x) => graph.node("Mish", [x]),
  softplus: (graph, x) => graph.node("Softplus", [x]),
  softsign: (graph, x) => graph.node("Softsign", [x]),
  hard_sigmoid: (graph, x) => graph.node("HardSigmoid", [x], { alpha: float(1 / 6) }),
  hard_swish: (graph, x) => graph.node("HardSwish", [x]),
} as const satisfies Record<string, (graph: GraphBuilder, x: Value) => Value>;

const plainKind: LayerKind<PlainActivation> = ({ kind }, input) => elementwise(input, plain[kind]);

const leakyRelu: LayerKind<LeakyRelu> = ({ slope = 0.01 }, input, place) => {
  checkFinite(place, "slope", slope);
  return elementwise(input, (graph, x) => graph.node("LeakyRelu", [x], { alpha: float(slope) }));
};

const elu: LayerKind<Elu> = ({ alpha = 1 }, input, place) => {
  checkPositive(place, "alpha", alpha);
  return elementwise(input, (graph, x) => graph.node("Elu", [x], { alpha: float(alpha) }));
};

const gelu: LayerKind<Gelu> = ({ approximate = false }, input) =>
  elementwise(input, (graph, x) => graph.node("Gelu", [x], { approximate: string(approximate ? "tanh" : "none") }));

const softmax: LayerKind<Softmax> = (_, input) => elementwise(input, (graph, x) => graph.softmax(x));

export const activations = {
  ...(Object.fromEntries(Object.keys(plain).map((kind) => [kind, plainKind])) as {
    [K in PlainActivation["kind"]]: LayerKind<PlainActivation>;
  }),
  leaky_relu: leakyRelu,
  elu,
  gelu,
  softmax,
} as const satisfies { [K in Activation["kind"]]: LayerKind<Extract<Activation, { kind: K }>> };

/** The activation of that name with its defaults, for a part of a layer. */
export function activationNamed(kind: string, input: readonly number[], place: Place) {
  if (!Object.hasOwn(activations, kind)) {
    throw specError(`${place.field}.activation`, kind, `one of ${Object.keys(activations).join(", ")}`);
  }
  return (activations[kind as Activation["kind"]] as LayerKind<Activation>)({ kind } as Activation, input, place);
}
