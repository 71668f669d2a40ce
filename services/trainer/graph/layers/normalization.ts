import { float, int } from "../../../../lib/onnx/attributes.ts";
import { trainedBatchNorm } from "../batch-norm.ts";
import { specError } from "../spec-error.ts";
import {
  checkCount,
  checkPositive,
  checkShare,
  type LayerKind,
  type Place,
  parameterOf,
  shapeError,
} from "./layer-kind.ts";

/** Over rows and spatial axes, channel by channel, as `torch.nn.BatchNorm1d` and `BatchNorm2d` (Ioffe and Szegedy 2015). */
export interface BatchNorm extends Epsilon {
  readonly kind: "batch_norm";
  /** The share of a batch in the running mean and variance, in [0, 1); 0.1 by default. */
  readonly momentum?: number | undefined;
}

/** Over the last axes of each row, as `torch.nn.LayerNorm` (Ba, Kiros and Hinton 2016). */
export interface LayerNorm extends Epsilon {
  readonly kind: "layer_norm";
  /** How many; 1 by default. */
  readonly axes?: number | undefined;
}

/** Over groups of channels of each row, as `torch.nn.GroupNorm` (Wu and He 2018). */
export interface GroupNorm extends Epsilon {
  readonly kind: "group_norm";
  readonly groups: number;
}

/** Over the last axis, without taking off the mean, as `torch.nn.RMSNorm` (Zhang and Sennrich 2019). */
export interface RmsNorm extends Epsilon {
  readonly kind: "rms_norm";
}

interface Epsilon {
  /** Added to the variance, above 0; 1e-5 by default, and 2⁻²³ of rms_norm. */
  readonly epsilon?: number | undefined;
}

export const batchNorm: LayerKind<BatchNorm> = ({ epsilon = 1e-5, momentum = 0.1 }, input, place) => {
  checkPositive(place, "epsilon", epsilon);
  checkShare(place, "momentum", momentum);
  if (input.length < 1) throw shapeError(place, "batch_norm", input, "[channels, ...]");
  const statistics = [
    parameterOf(place, "running_mean", [input[0]], { kind: "zeros" }),
    parameterOf(place, "running_var", [input[0]], one),
  ];
  const { parameters } = scaled(place, [input[0]]);
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
      const trained = trainedBatchNorm(graph, [x, scale, bias, ...running], epsilon, 1 - momentum);
      for (const [index, value] of trained.running.entries()) into.changed(statistics[index].name, value);
      return trained.y;
    },
  };
};

export const layerNorm: LayerKind<LayerNorm> = ({ epsilon = 1e-5, axes = 1 }, input, place) => {
  checkPositive(place, "epsilon", epsilon);
  checkCount(place, "axes", axes);
  if (input.length < axes) throw shapeError(place, "layer_norm", input, `at least ${axes} axes`);
  return {
    ...scaled(place, input.slice(-axes)),
    outputShape: input,
    statistics: [],
    append: ({ graph, tensor }, x) => {
      const tensors = ["weight", "bias"].map((name) => tensor(`${place.name}.${name}`));
      // The mean and deviation that come out too are used again by its gradient.
      return graph.many("LayerNormalization", [x, ...tensors], { axis: int(-axes), epsilon: float(epsilon) })[0];
    },
  };
};

export const groupNorm: LayerKind<GroupNorm> = ({ epsilon = 1e-5, groups }, input, place) => {
  checkPositive(place, "epsilon", epsilon);
  checkCount(place, "groups", groups);
  if (input.length < 2) throw shapeError(place, "group_norm", input, "[channels, ...] with a spatial axis");
  if (input[0] % groups !== 0) throw specError(`${place.field}.groups`, groups, `a divisor of ${input[0]} channels`);
  return {
    ...scaled(place, [input[0]]),
    outputShape: input,
    statistics: [],
    append: ({ graph, tensor }, x) => {
      const tensors = ["weight", "bias"].map((name) => tensor(`${place.name}.${name}`));
      return graph.node("GroupNormalization", [x, ...tensors], { num_groups: int(groups), epsilon: float(epsilon) });
    },
  };
};

export const rmsNorm: LayerKind<RmsNorm> = ({ epsilon = 2 ** -23 }, input, place) => {
  checkPositive(place, "epsilon", epsilon);
  if (input.length < 1) throw shapeError(place, "rms_norm", input, "[..., size]");
  return {
    parameters: [parameterOf(place, "weight", input.slice(-1), one)],
    outputShape: input,
    statistics: [],
    append: ({ graph, tensor }, x) =>
      graph.node("RMSNormalization", [x, tensor(`${place.name}.weight`)], { epsilon: float(epsilon) }),
  };
};

const one = { kind: "constant", value: 1 } as const;

function scaled(place: Place, shape: readonly number[]) {
  return {
    parameters: [parameterOf(place, "weight", shape, one), parameterOf(place, "bias", shape, { kind: "zeros" })],
  };
}
