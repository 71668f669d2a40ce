import { int, ints } from "../../../../lib/onnx/attributes.ts";
import { trainedMaxPool } from "../max-pool.ts";
import { specError } from "../spec-error.ts";
import { type BuiltLayer, type LayerKind, type Place, reshaping, shapeError } from "./layer-kind.ts";
import { attributesOf, placesOf, type WindowFields, windowsOf } from "./windows.ts";

/** The largest element under each window, as `torch.nn.MaxPool1d` and `MaxPool2d`. The stride is the kernel by default. */
export interface MaxPool extends WindowFields {
  readonly kind: "max_pool";
}

/** The mean under each window, padding included, as `torch.nn.AvgPool1d` and `AvgPool2d`. The stride is the kernel by default. */
export interface AveragePool extends Omit<WindowFields, "dilation"> {
  readonly kind: "average_pool";
}

/** The mean of each channel: [channels, ...spatial] becomes [channels]. */
export interface GlobalAveragePool {
  readonly kind: "global_average_pool";
}

export const maxPool: LayerKind<MaxPool> = (layer, input, place) => pooling("MaxPool", layer, input, place);

export const averagePool: LayerKind<AveragePool> = (layer, input, place) => pooling("AveragePool", layer, input, place);

export const globalAveragePool: LayerKind<GlobalAveragePool> = (_, input, place) => {
  if (input.length < 2) throw shapeError(place, "global_average_pool", input, "[channels, ...] with a spatial axis");
  return reshaping([input[0]], (graph, x) =>
    graph.reshape(graph.node("GlobalAveragePool", [x]), graph.sizes([-1, input[0]])),
  );
};

function pooling(
  operator: "MaxPool" | "AveragePool",
  layer: (MaxPool | AveragePool) & WindowFields,
  input: readonly number[],
  place: Place,
): BuiltLayer {
  const stride = layer.stride?.length ? layer.stride : layer.kernel;
  const windows = windowsOf(layer.kind, layer, input, place, stride);
  for (const [axis, padding] of windows.padding.entries()) {
    if (2 * padding <= windows.kernel[axis]) continue;
    throw specError(`${place.field}.padding`, padding, `at most half the kernel, ${windows.kernel[axis]}`);
  }
  const { dilations, ...others } = attributesOf(windows);
  const attributes = {
    kernel_shape: ints(windows.kernel),
    ...others,
    ...(operator === "MaxPool" ? { dilations } : { count_include_pad: int(1) }),
  };
  const places = placesOf(layer.kind, windows, input, place);
  return reshaping([input[0], ...places], (graph, x, { mode }) =>
    operator === "MaxPool" && mode.kind === "training"
      ? trainedMaxPool(graph, x, attributes, mode)
      : graph.node(operator, [x], attributes),
  );
}
