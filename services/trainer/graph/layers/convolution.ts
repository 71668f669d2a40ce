import { int, ints } from "../../../../lib/onnx/attributes.ts";
import { product } from "../../../../lib/onnx/shapes.ts";
import { filteredConvolution } from "../filtered-convolution.ts";
import type { Parameter } from "../network.ts";
import { specError } from "../spec-error.ts";
import { biasOf, evenlyByFan, type FirstElements, weightOf } from "./first-elements.ts";
import { checkCount, type LayerKind, type Place, shapeError } from "./layer-kind.ts";
import { attributesOf, perAxis, placesOf, type WindowFields, windowsOf } from "./windows.ts";

/** A convolution over rows [channels, length] or [channels, height, width], as `torch.nn.Conv1d` and `Conv2d`. */
export interface Convolution extends WindowFields, Channels {
  readonly kind: "conv";
}

/** Its transpose, as `torch.nn.ConvTranspose1d` and `ConvTranspose2d`. */
export interface TransposedConvolution extends WindowFields, Channels {
  readonly kind: "conv_transpose";
  /** Elements added at the end of each axis, less than the stride; 0 by default. */
  readonly outputPadding?: readonly number[] | undefined;
}

interface Channels extends FirstElements {
  readonly outputChannels: number;
  /** Channels are shared out over so many groups; 1 by default. */
  readonly groups?: number | undefined;
  /** Whether it adds a number to each channel; true by default. */
  readonly bias?: boolean | undefined;
}

export const convolution: LayerKind<Convolution> = (layer, input, place) => {
  const windows = windowsOf("conv", layer, input, place);
  const groups = checkedGroups(layer, input, place);
  const places = placesOf("conv", windows, input, place);
  const { outputChannels } = layer;
  const parameters = parametersOf(layer, [outputChannels, input[0] / groups, ...windows.kernel], place);
  const attributes = { ...attributesOf(windows), group: int(groups) };
  return {
    outputShape: [outputChannels, ...places],
    parameters,
    statistics: [],
    append({ graph, mode, tensor }, x) {
      const inputs = [x, ...parameters.map(({ name }) => tensor(name))];
      const filtered = mode.kind === "training" ? filteredConvolution(graph, inputs, attributes, mode) : undefined;
      return filtered ?? graph.node("Conv", inputs, attributes);
    },
  };
};

export const transposedConvolution: LayerKind<TransposedConvolution> = (layer, input, place) => {
  const windows = windowsOf("conv_transpose", layer, input, place);
  const groups = checkedGroups(layer, input, place);
  const { outputChannels, outputPadding = [] } = layer;
  const added = perAxis(place, "output_padding", outputPadding.length > 0 ? outputPadding : [0], input.length - 1, 0);
  const { kernel, stride, padding, dilation } = windows;
  const places = input.slice(1).map((size, axis) => {
    if (added[axis] >= stride[axis]) {
      throw specError(`${place.field}.output_padding`, added[axis], `less than the stride, ${stride[axis]}`);
    }
    const span = dilation[axis] * (kernel[axis] - 1) + 1;
    const given = (size - 1) * stride[axis] - 2 * padding[axis] + span + added[axis];
    if (given >= 1) return given;
    throw shapeError(place, "conv_transpose", input, `rows from which a padding of ${padding[axis]} leaves an element`);
  });
  const parameters = parametersOf(layer, [input[0], outputChannels / groups, ...kernel], place);
  const attributes = { ...attributesOf(windows), group: int(groups), output_padding: ints(added) };
  return {
    outputShape: [outputChannels, ...places],
    parameters,
    statistics: [],
    append: ({ graph, tensor }, x) =>
      graph.node("ConvTranspose", [x, ...parameters.map(({ name }) => tensor(name))], attributes),
  };
};

function checkedGroups({ outputChannels, groups = 1 }: Channels, [channels]: readonly number[], place: Place): number {
  checkCount(place, "output_channels", outputChannels);
  checkCount(place, "groups", groups);
  if (channels % groups === 0 && outputChannels % groups === 0) return groups;
  throw specError(`${place.field}.groups`, groups, `a divisor of ${channels} channels in and ${outputChannels} out`);
}

function parametersOf(layer: Channels, shape: readonly number[], place: Place): readonly Parameter[] {
  const byDefault = evenlyByFan(product(shape.slice(1)));
  const weight = weightOf(layer, place, "weight", shape, byDefault);
  if (layer.bias === false) return [weight];
  return [weight, biasOf(layer, place, "bias", [layer.outputChannels], byDefault)];
}
