import { float, int } from "../../../../lib/onnx/attributes.ts";
import { trainedBatchNorm } from "../batch-norm.ts";
import type { Parameter } from "../network.ts";
import { specError } from "../spec-error.ts";
import { biasOf, type FirstElements, type FirstWeights, weightOf } from "./first-elements.ts";
import { checkCount, checkPositive, checkShare, type LayerKind, type Place, shapeError } from "./layer-kind.ts";

/** Over rows and spatial axes, channel by channel, as `torch.nn.BatchNorm1d` and `BatchNorm2d` (Ioffe and Szegedy 2015). */
export interface BatchNorm extends Epsilon, FirstElements {
  readonly kind: "batch_norm";
  /** The share of a batch in the running mean and variance, in [0, 1); 0.1 by default. */
  readonly momentum?: number | undefined;
}

/** Over the last axes of each row, as `torch.nn.LayerNorm` (Ba, Kiros and Hinton 2016). */
export interface LayerNorm extends Epsilon, FirstElements {
  readonly kind: "layer_norm";
  /** How many; 1 by default. */
  readonly axes?: number | undefined;
}

/** Over groups of channels of each row, as `torch.nn.GroupNorm` (Wu and He 2018). */
export interface GroupNorm extends Epsilon, FirstElements {
  readonly kind: "group_norm";
  readonly groups: number;
}

/** Over the last axis, without taking off the mean, as `torch.nn.RMSNorm` (Zhang and Sennrich 2019). */
export interface RmsNorm extends Epsilon, FirstWeights {
  readonly kind: "rms_norm";
}

interface Epsilon {
  /** Added to the variance, above 0; 1e-5 by default, and 2⁻²³ of rms_norm. */
  readonly epsilon?: number | undefined;
}

export const batchNorm: LayerKind<BatchNorm> = (layer, input, place) => {
  const { epsilon = 1e-5, momentum = 0.1 } = layer;
  checkPositive(place, "epsilon", epsilon);
  checkShare(place, "momentum", momentum);
  if (input.length < 1) throw shapeError(place, "batch_norm", input, "[channels, ...]");
  const statistics = [
    { name: `${place.name}.running_mean`, shape: [input[0]], initial: zeros },
    { name: `${place.name}.running_var`, shape: [input[0]], initial: one },
  ];
  const parameters = scaleAndBias(layer, place, [input[0]]);
  return {
    outputShape: input,
    parameters,
    statistics,
    append(into, x) {
      const { graph, mode } = into;
      const [scale, bias] = parameters.map(({ name }) => into.tensor(name));
      const running = statistics.map(({ name }) => into.tensor(name));
      if (mode.kind === "inference") {
        return graph.node("BatchNormalization", [x, scale, bias, ...running], { epsilon: float(epsilon) });
      }
      const trained = trainedBatchNorm(graph, [x, scale, bias, ...running], epsilon, 1 - momentum, mode);
      for (const [index, value] of trained.running.entries()) into.changed(statistics[index].name, value);
      return trained.y;
    },
  };
};

export const layerNorm: LayerKind<LayerNorm> = (layer, input, place) => {
  const { epsilon = 1e-5, axes = 1 } = layer;
  checkPositive(place, "epsilon", epsilon);
  checkCount(place, "axes", axes);
  if (input.length < axes) throw shapeError(place, "layer_norm", input, `at least ${axes} axes`);
  const parameters = scaleAndBias(layer, place, input.slice(-axes));
  return {
    outputShape: input,
    parameters,
    statistics: [],
    append: ({ graph, tensor }, x) => {
      const tensors = parameters.map(({ name }) => tensor(name));
      // The mean and deviation that come out too are used again by its gradient.
      return graph.many("LayerNormalization", [x, ...tensors], { axis: int(-axes), epsilon: float(epsilon) })[0];
    },
  };
};

export const groupNorm: LayerKind<GroupNorm> = (layer, input, place) => {
  const { epsilon = 1e-5, groups } = layer;
  checkPositive(place, "epsilon", epsilon);
  checkCount(place, "groups", groups);
  if (input.length < 2) throw shapeError(place, "group_norm", input, "[channels, ...] with a spatial axis");
  if (input[0] % groups !== 0) throw specError(`${place.field}.groups`, groups, `a divisor of ${input[0]} channels`);
  const parameters = scaleAndBias(layer, place, [input[0]]);
  return {
    outputShape: input,
    parameters,
    statistics: [],
    append: ({ graph, tensor }, x) => {
      const tensors = parameters.map(({ name }) => tensor(name));
      return graph.node("GroupNormalization", [x, ...tensors], { num_groups: int(groups), epsilon: float(epsilon) });
    },
  };
};

export const rmsNorm: LayerKind<RmsNorm> = (layer, input, place) => {
  const { epsilon = 2 ** -23 } = layer;
  checkPositive(place, "epsilon", epsilon);
  if (input.length < 1) throw shapeError(place, "rms_norm", input, "[..., size]");
  const scale = weightOf(layer, place, "weight", input.slice(-1), one);
  return {
    outputShape: input,
    parameters: [scale],
    statistics: [],
    append: ({ graph, tensor }, x) =>
      graph.node("RMSNormalization", [x, tensor(scale.name)], { epsilon: float(epsilon) }),
  };
};

const one = { kind: "constant", value: 1 } as const;
const zeros = { kind: "zeros" } as const;

function scaleAndBias(layer: FirstElements, place: Place, shape: readonly number[]): readonly Parameter[] {
  return [weightOf(layer, place, "weight", shape, one), biasOf(layer, place, "bias", shape, zeros)];
}
