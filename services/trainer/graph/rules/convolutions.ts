import { int, ints } from "../../../../lib/onnx/attributes.ts";
import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Attributes, Value } from "../../../../lib/onnx/graph.ts";
import type { convolutionOperators } from "../../../../lib/onnx/operators/convolutions.ts";
import { intOf } from "../../../../lib/onnx/operators/inference.ts";
import { span, transposedWindowsOf, type Window, windowsOf } from "../../../../lib/onnx/operators/windows.ts";
import type { Derivation, Rules } from "./rule.ts";

/**
 * Rules of convolutions. As a matrix, ConvTranspose is the transpose of Conv, so that each is the other's gradient with respect to
 * the input (Dumoulin and Visin 2016); the gradient of a weight correlates the input with the output's gradient.
 */
export const convolutionRules = {
  Conv: (derivation) => {
    const { graph, inputs, attributes, dy } = derivation;
    const [x, w] = inputs;
    const group = intOf(attributes, "group", 1);
    const windows = windowsOf(attributes, x.shape.slice(2), w.shape.slice(2).map(Number));
    return [
      () => spreadBack(derivation, windows, group),
      () => correlated(derivation, x, dy, windows, group),
      () => overChannels(graph, dy),
    ];
  },
  ConvTranspose: (derivation) => {
    const { graph, inputs, attributes, dy } = derivation;
    const [x, w] = inputs;
    const group = intOf(attributes, "group", 1);
    const windows = transposedWindowsOf(attributes, x.shape.slice(2), w.shape.slice(2).map(Number)).map(backwards);
    return [
      () => graph.node("Conv", [dy, w], geometry(windows, group)),
      () => correlated(derivation, dy, x, windows, group),
      () => overChannels(graph, dy),
    ];
  },
} as const satisfies Rules<typeof convolutionOperators>;

/** The Conv whose input is what a ConvTranspose gives. */
function backwards({ input, output, after, ...window }: Window): Window {
  return { ...window, input: output, output: input, after: Math.max(0, after) };
}

/** The attributes of a Conv or ConvTranspose over such windows. */
export function geometry(windows: readonly Window[], group: number): Attributes {
  return {
    group: int(group),
    strides: ints(windows.map(({ stride }) => stride)),
    dilations: ints(windows.map(({ dilation }) => dilation)),
    pads: ints([...windows.map(({ before }) => before), ...windows.map(({ after }) => after)]),
  };
}

/** The ConvTranspose that gives what a Conv took: the elements at the end that no window reached are its output padding. */
export function transposed({ refusal }: Derivation, windows: readonly Window[], group: number): Attributes {
  const unreached = windows.map((window) => {
    const { input, output, stride, before, after } = window;
    if (stride === 1) return 0;
    if (typeof input === "string")
      throw refusal("an input of the size", input, `a size known beforehand for strides above 1`);
    return input + before + after - span(window) - (Number(output) - 1) * stride;
  });
  return { ...geometry(windows, group), output_padding: ints(unreached) };
}

/**
 * The gradient of a Conv's input. Without strides it is a Conv of the output's gradient with the kernel turned around, which takes 0.65 to
 * 0.9 of the time of a ConvTranspose, but four times as long where few channels come out.
 */
function spreadBack(derivation: Derivation, windows: readonly Window[], group: number): Value {
  const { graph, inputs, dy } = derivation;
  const [x, w] = inputs;
  const turned = windows.map(turnedAround);
  const isWide = Number(x.shape[1]) / group >= 32;
  const isPadded = turned.every(({ stride, before, after }) => stride === 1 && before >= 0 && after >= 0);
  if (!isWide || !isPadded) return graph.node("ConvTranspose", [dy, w], transposed(derivation, windows, group));
  return graph.node("Conv", [dy, kernelTurned(graph, w, group)], geometry(turned, group));
}

/** The window that takes from an output what was put into it. */
function turnedAround({ input, output, before, after, ...window }: Window): Window {
  const reach = span(window) - 1;
  return { ...window, input: output, output: input, before: reach - before, after: reach - after };
}

/** `[outputs, channels of a group, …]` as `[channels, outputs of a group, …]`, each kernel from its last tap to its first. */
function kernelTurned(graph: GraphBuilder, w: Value, group: number): Value {
  const [outputs, channels, ...kernel] = w.shape.map(Number);
  const axes = kernel.map((_, axis) => axis + 2);
  const each = (number: number) => graph.sizes(axes.map(() => number));
  const backwards = graph.node("Slice", [w, each(-1), each(-(2 ** 31)), graph.sizes(axes), each(-1)]);
  if (group === 1) return graph.transpose(backwards, [1, 0, ...axes]);
  const byGroup = graph.reshape(backwards, graph.sizes([group, outputs / group, channels, ...kernel]));
  const swapped = graph.transpose(byGroup, [0, 2, 1, ...axes.map((axis) => axis + 1)]);
  return graph.reshape(swapped, graph.sizes([group * channels, outputs / group, ...kernel]));
}

/**
 * The gradient of a Conv's weight: `dy` times what each tap of the kernel met in `x`, as products of matrices. A product for each tap takes
 * half of the time of one for all taps side by side, except where it would be of few channels.
 */
function correlated(derivation: Derivation, x: Value, dy: Value, windows: readonly Window[], group: number): Value {
  const { graph, refusal } = derivation;
  const named = windows.flatMap(({ input, output }) => [input, output]).find((size) => typeof size === "string");
  if (named !== undefined) throw refusal("an input of the size", named, "sizes that are known before it runs");
  const axes = windows.map((_, axis) => axis);
  const [outputs, channels] = [dy.shape[1], x.shape[1]].map((count) => Number(count) / group);
  const slopes = graph.reshape(channelsFirst(graph, dy, group), graph.sizes([group, outputs, -1]));
  const isNarrow = channels < 16;
  const met = isNarrow ? metByFew(graph, x, windows, group, outputs >= 32) : metByMany(graph, x, windows, group);
  const products = met.map((values) => graph.matMul(slopes, values));
  const kernel = windows.map((window) => window.kernel);
  const product = products.length === 1 ? products[0] : graph.concat(products, -1);
  const together = graph.reshape(product, graph.sizes([group * outputs, ...kernel, channels]));
  return graph.transpose(together, [0, axes.length + 1, ...axes.map((axis) => axis + 1)]);
}

/** What each tap met, `[group, rows and places, channels]`. Channels are last meanwhile, so that what is cut out lies together. */
function metByMany(graph: GraphBuilder, x: Value, windows: readonly Window[], group: number): readonly Value[] {
  const met = padded(graph, channelsLast(graph, x, group), windows, 2);
  return tapsOf(windows).map((tap) => {
    const values = cut(graph, met, windows, tap);
    return graph.reshape(values, graph.sizes([group, -1, Number(values.shape.at(-1))]));
  });
}

/** What the taps along the last axis met, or all of them, side by side; channels are first meanwhile, so that places lie together. */
function metByFew(
  graph: GraphBuilder,
  x: Value,
  windows: readonly Window[],
  group: number,
  isJoined: boolean,
): readonly Value[] {
  const met = padded(graph, channelsFirst(graph, x, group), windows, 3);
  const [others, last] = [windows.slice(0, -1), windows.slice(-1)];
  const beside = graph.concat(
    tapsOf(last).map((tap) => cut(graph, met, last, tap, 3 + others.length)),
    1,
  );
  const cuts = tapsOf(others).map((tap) => cut(graph, beside, others, tap, 3));
  return (isJoined ? [graph.concat(cuts, 1)] : cuts).map((values) => {
    const flat = graph.reshape(values, graph.sizes([group, Number(values.shape[1]), -1]));
    return graph.transpose(flat, [0, 2, 1]);
  });
}

/** `[rows, channels, …]` as `[group, rows, …, channels of the group]`. */
function channelsLast(graph: GraphBuilder, x: Value, group: number): Value {
  const [, channels, ...spatial] = x.shape.map(Number);
  const axes = spatial.map((_, axis) => axis);
  if (group === 1) return graph.unsqueeze(graph.transpose(x, [0, ...axes.map((axis) => axis + 2), 1]), [0]);
  const grouped = graph.reshape(x, graph.sizes([0, group, channels / group, ...spatial]));
  return graph.transpose(grouped, [1, 0, ...axes.map((axis) => axis + 3), 2]);
}

/** `[rows, channels, …]` as `[group, channels of the group, rows, …]`. */
function channelsFirst(graph: GraphBuilder, x: Value, group: number): Value {
  const [, channels, ...spatial] = x.shape.map(Number);
  const first = graph.transpose(x, [1, 0, ...spatial.map((_, axis) => axis + 2)]);
  return graph.reshape(first, graph.sizes([group, channels / group, -1, ...spatial]));
}

/** A value with the windows' zeros around it, whose axes begin with `first`. */
function padded(graph: GraphBuilder, x: Value, windows: readonly Window[], first: number): Value {
  const around = (sizes: readonly number[]) => x.shape.map((_, axis) => sizes[axis - first] ?? 0);
  const pads = [...around(windows.map(({ before }) => before)), ...around(windows.map(({ after }) => after))];
  return pads.every((pad) => pad === 0) ? x : graph.node("Pad", [x, graph.sizes(pads)]);
}

/** The place of each tap of a kernel, the last axis fastest. */
export function tapsOf(windows: readonly Window[]): readonly (readonly number[])[] {
  return windows.reduce<readonly (readonly number[])[]>(
    (taps, { kernel }) => taps.flatMap((tap) => Array.from({ length: kernel }, (_, place) => [...tap, place])),
    [[]],
  );
}

/** What one tap meets by windows along the axes from `first` on. */
export function cut(
  graph: GraphBuilder,
  x: Value,
  windows: readonly Window[],
  tap: readonly number[],
  first = 2,
): Value {
  if (windows.length === 0) return x;
  const starts = windows.map(({ dilation }, axis) => tap[axis] * dilation);
  const ends = windows.map(({ output, stride }, axis) => starts[axis] + (Number(output) - 1) * stride + 1);
  const axes = windows.map((_, axis) => axis + first);
  const steps = windows.map(({ stride }) => stride);
  return graph.node("Slice", [x, ...[starts, ends, axes, steps].map((numbers) => graph.sizes(numbers))]);
}

/** The gradient of a bias. */
function overChannels(graph: GraphBuilder, dy: Value): Value {
  return graph.reduceSum(
    dy,
    dy.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis])),
  );
}
