import { float } from "../../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import { floatOf, frontAxis, intOf } from "../../../../lib/onnx/operators/inference.ts";
import type { normalizationOperators } from "../../../../lib/onnx/operators/normalization.ts";
import { type Derivation, like, once, type Rules } from "./rule.ts";

/**
 * Rules of normalisations. With x̂ = (x − mean) / deviation, both over some axes, and g the gradient of x̂, that of x is
 * (g − mean(g) − x̂ · mean(g · x̂)) / deviation (Ioffe and Szegedy 2015); without the mean in the middle where none was taken off.
 */
export const normalizationRules = {
  BatchNormalization: (derivation) => {
    const { graph, inputs, attributes, dys, refusal } = derivation;
    const [x, scale, , mean, variance] = inputs;
    if (dys[1] ?? dys[2]) throw refusal("a loss that depends on", "its running statistics", "one that does not");
    const axes = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
    const channels = (value: Value) => perChannel(graph, value, x);
    if (intOf(attributes, "training_mode", 0) === 1) return throughBatch(derivation, axes);
    const inverse = once(() => inverseOf(derivation, channels(variance)));
    const parts = once(() => ({ hat: graph.mul(graph.sub(x, channels(mean)), inverse()), inverse: inverse() }));
    const slope = once(() => graph.mul(graph.mul(derivation.dy, channels(scale)), inverse()));
    const half = like(graph, -0.5, x);
    return [
      slope,
      ...scaledRules(derivation, parts, channels(scale), axes).slice(1),
      () => graph.neg(graph.reduceSum(slope(), axes)),
      () => graph.mul(half, graph.reduceSum(graph.mul(graph.mul(slope(), parts().hat), inverse()), axes)),
    ];
  },
  LayerNormalization: (derivation) => {
    const { graph, inputs, outputs, dys, refusal } = derivation;
    const [x, scale] = inputs;
    if (dys[1] ?? dys[2]) throw refusal("a loss that depends on", "its mean or deviation", "one that does not");
    const [, mean, inverse] = outputs;
    const axes = axesFrom(derivation);
    const parts = once(() => {
      if (mean === undefined || inverse === undefined) return normalized(derivation, x, axes);
      const taken = graph.cast(inverse, x.dataType);
      return { hat: graph.mul(graph.sub(x, graph.cast(mean, x.dataType)), taken), inverse: taken };
    });
    return scaledRules(derivation, parts, scale, axes, []);
  },
  RMSNormalization: (derivation) => {
    const { graph, inputs } = derivation;
    const [x, scale] = inputs;
    const axes = axesFrom(derivation);
    const parts = once(() => {
      const inverse = inverseOf(derivation, graph.reduceMean(graph.mul(x, x), axes, true));
      return { hat: graph.mul(x, inverse), inverse, uncentred: true };
    });
    return scaledRules(derivation, parts, scale, axes, []);
  },
  GroupNormalization: (derivation) => {
    const { graph, inputs, attributes, dy } = derivation;
    const [x, scale] = inputs;
    const grouped = graph.sizes([0, intOf(attributes, "num_groups", 1), -1]);
    const parts = once(() => normalized(derivation, graph.reshape(x, grouped), [2]));
    const axes = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
    return [
      () => {
        const slope = graph.reshape(graph.mul(dy, perChannel(graph, scale, x)), grouped);
        return graph.shaped(throughNormalized(graph, parts(), slope, [2]), graph.shapeOf(x));
      },
      () => graph.reduceSum(graph.mul(dy, graph.shaped(parts().hat, graph.shapeOf(x))), axes),
      () => graph.reduceSum(dy, axes),
    ];
  },
  InstanceNormalization: (derivation) => {
    const { graph, inputs } = derivation;
    const [x, scale] = inputs;
    const axes = x.shape.map((_, axis) => axis);
    const parts = once(() => normalized(derivation, x, axes.slice(2)));
    return scaledRules(derivation, parts, perChannel(graph, scale, x), axes.slice(2), [0, ...axes.slice(2)]);
  },
} as const satisfies Rules<typeof normalizationOperators>;

/**
 * Of a batch that is normalised by itself, the gradient of x is `a·dy + b·(x − mean) + c` with numbers for each channel, and so is made in
 * three passes: BatchNormalization by given statistics is the fastest `a·x + c` that runtimes have.
 */
function throughBatch(derivation: Derivation, axes: readonly number[]): readonly (() => Value)[] {
  const { graph, inputs, attributes, outputs, dy } = derivation;
  const [x, scale, bias] = inputs;
  const perBatch = once(() => {
    // Without momentum the statistics that come out are those of the batch. The runtime writes them over those that it is given, so that
    // these are tensors of their own; what is in them does not count.
    const alone = { ...attributes, momentum: float(0) };
    const isAlone = floatOf(attributes, "momentum", 0.9) === 0 && outputs.length === 3;
    const [, mean, variance] = isAlone
      ? outputs
      : graph.many("BatchNormalization", [x, scale, bias, graph.neg(scale), graph.neg(bias)], alone);
    const centred = graph.sub(x, perChannel(graph, mean, x));
    return { centred, inverse: inverseOf(derivation, variance), along: graph.reduceSum(graph.mul(dy, centred), axes) };
  });
  const total = once(() => graph.reduceSum(dy, axes));
  const affine = (value: Value, slope: Value, offset: Value) => {
    const [none, one] = [graph.zeros(slope), graph.expand(like(graph, 1, slope), graph.shapeOf(slope))];
    return graph.node("BatchNormalization", [value, slope, offset, none, one], { epsilon: float(0) });
  };
  return [
    () => {
      const { centred, inverse, along } = perBatch();
      const count = graph.div(graph.cast(graph.size(x), x.dataType), like(graph, Number(x.shape[1]), x));
      const slope = graph.mul(scale, inverse);
      const pull = graph.neg(graph.mul(graph.mul(slope, graph.mul(inverse, inverse)), graph.div(along, count)));
      const offset = graph.neg(graph.mul(slope, graph.div(total(), count)));
      return graph.add(affine(dy, slope, offset), affine(centred, pull, graph.zeros(pull)));
    },
    () => graph.mul(perBatch().along, perBatch().inverse),
    total,
  ];
}

/** x̂ and one over the deviation; `uncentred` where no mean was taken off. */
interface Normalized {
  readonly hat: Value;
  readonly inverse: Value;
  readonly uncentred?: boolean;
}

function normalized(derivation: Derivation, x: Value, axes: readonly number[]): Normalized {
  const { graph } = derivation;
  const centred = graph.sub(x, graph.reduceMean(x, axes, true));
  const inverse = inverseOf(derivation, graph.reduceMean(graph.mul(centred, centred), axes, true));
  return { hat: graph.mul(centred, inverse), inverse };
}

function inverseOf({ graph, attributes }: Derivation, variance: Value): Value {
  const epsilon = like(graph, floatOf(attributes, "epsilon", 1e-5), variance);
  return graph.div(like(graph, 1, variance), graph.sqrt(graph.add(variance, epsilon)));
}

function throughNormalized(
  graph: GraphBuilder,
  { hat, inverse, uncentred = false }: Normalized,
  slope: Value,
  axes: readonly number[],
): Value {
  const along = graph.mul(hat, graph.reduceMean(graph.mul(slope, hat), axes, true));
  const centred = uncentred ? slope : graph.sub(slope, graph.reduceMean(slope, axes, true));
  return graph.mul(inverse, graph.sub(centred, along));
}

/** The gradients of x, scale and bias of `x̂ · scale + bias`; those of scale and bias are summed over `shared`. */
function scaledRules(
  { graph, dy }: Derivation,
  parts: () => Normalized,
  scale: Value,
  axes: readonly number[],
  shared: readonly number[] = axes,
): readonly (() => Value)[] {
  const summed = (value: Value) => (shared.length > 0 ? graph.reduceSum(value, shared) : value);
  return [
    () => throughNormalized(graph, parts(), graph.mul(dy, scale), axes),
    () => summed(graph.mul(dy, parts().hat)),
    () => summed(dy),
  ];
}

/** A value per channel, of a shape that broadcasts to `x`. */
export function perChannel(graph: GraphBuilder, value: Value, x: Value): Value {
  return graph.unsqueeze(
    value,
    x.shape.slice(2).map((_, index) => index + 1),
  );
}

function axesFrom({ attributes, inputs: [x] }: Derivation): readonly number[] {
  const rank = x.shape.length;
  const axis = frontAxis(intOf(attributes, "axis", -1), rank);
  return Array.from({ length: rank - axis }, (_, index) => axis + index);
}
