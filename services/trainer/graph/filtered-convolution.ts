import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Attributes, Value } from "../../../lib/onnx/graph.ts";
import { intOf, intsOf, stringOf } from "../../../lib/onnx/operators/inference.ts";
import { perChannel } from "./rules/normalization.ts";

/**
 * A Conv as products by minimal filtering (Winograd; Lavin and Gray 2016): a tile of an image and the kernel are taken to points where they
 * only have to be multiplied, all channels at once, and the products back to places. That takes a fourth of the multiplications, of small
 * images 1/2.25, and so do the gradients, which follow from those of the products. `inputs` are those of the operator: x, weight and, if
 * there is one, bias. Undefined where a Conv is better or the only way: by other than 3×3 taps, with strides, of few channels or many
 * places, and on devices that have their own way.
 */
export function filteredConvolution(
  graph: GraphBuilder,
  inputs: readonly Value[],
  attributes: Attributes,
  { isComposed = false }: { readonly isComposed?: boolean },
): Value | undefined {
  const [x, weight, bias] = inputs as readonly [Value, Value, ...Value[]];
  const spans = isComposed ? undefined : filteredSpans(x, weight, attributes);
  if (spans === undefined) return undefined;
  const y = filtered(graph, x, weight, spans);
  return bias === undefined ? y : graph.add(y, perChannel(graph, bias, y));
}

/** How many places an axis has in what a convolution takes and gives, and how many zeros come before the first. */
interface Span {
  readonly input: number;
  readonly output: number;
  readonly before: number;
}

/** With fewer channels than these, or than an axis has places, the way to the points and back takes longer than it saves. */
const channelsMin = 16;

/** Along height and width; undefined for a convolution that is not made of products. */
function filteredSpans(x: Value, weight: Value, attributes: Attributes): readonly [Span, Span] | undefined {
  const [outputs, channels, ...kernel] = weight.shape;
  const pads = intsOf(attributes, "pads") ?? [0, 0, 0, 0];
  const isStepwise = ["strides", "dilations"].every(
    (name) => intsOf(attributes, name)?.every((step) => step === 1) ?? true,
  );
  const isPlain = intOf(attributes, "group", 1) === 1 && stringOf(attributes, "auto_pad", "NOTSET") === "NOTSET";
  const isImage = x.shape.length === 4 && pads.length === 4 && `${kernel}` === "3,3";
  if (!isStepwise || !isPlain || !isImage || x.dataType !== "FP32" || x.shape[1] !== channels) return undefined;
  const spans = [0, 1].map((axis) => {
    const [input, before, after] = [Number(x.shape[axis + 2]), pads[axis]!, pads[axis + 2]!];
    return { input, output: input + before + after - 2, before };
  });
  const least = Math.min(Number(outputs), Number(channels));
  const isWorthwhile = least >= channelsMin && spans.every(({ output }) => output >= 1 && output <= least);
  return isWorthwhile ? (spans as [Span, Span]) : undefined;
}

/** How many places along an axis a tile gives, with the points for them: what each takes of a tile, of the kernel, and gives to places. */
interface Tile {
  readonly size: number;
  readonly taken: readonly (readonly number[])[];
  readonly kernel: readonly (readonly number[])[];
  readonly given: readonly (readonly number[])[];
}

/** By the points 0, 1, −1 and infinity. */
const smallTile: Tile = {
  size: 2,
  taken: [
    [1, 0, -1, 0],
    [0, 1, 1, 0],
    [0, -1, 1, 0],
    [0, 1, 0, -1],
  ],
  kernel: [
    [1, 0, 0],
    [1 / 2, 1 / 2, 1 / 2],
    [1 / 2, -1 / 2, 1 / 2],
    [0, 0, 1],
  ],
  given: [
    [1, 0],
    [1, 1],
    [1, -1],
    [0, -1],
  ],
};

/** By the points 0, 1, −1, 2, −2 and infinity. */
const tile: Tile = {
  size: 4,
  taken: [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
  ],
  kernel: [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
  ],
  given: [
    [1, 0, 0, 0],
    [1, 1, 1, 1],
    [1, -1, 1, -1],
    [1, 2, 4, 8],
    [1, -2, 4, -8],
    [0, 0, 0, 1],
  ],
};

/** With few tiles the kernels' way to the points takes longest, which is shorter the fewer points there are. */
const smallPlacesMax = 4;

/**
 * `[rows, channels, height, width]` by a weight `[outputs, channels, 3, 3]`. All tiles of an axis go to their points, and back, by one product with
 * a matrix that has the places between tiles and around the image, too; channels are last meanwhile. p and q number points along height and
 * width, t and s tiles.
 */
function filtered(graph: GraphBuilder, x: Value, weight: Value, spans: readonly [Span, Span]): Value {
  const [outputs, channels] = weight.shape.map(Number) as [number, number];
  const form = spans.every(({ output }) => output <= smallPlacesMax) ? smallTile : tile;
  const [down, across] = spans.map((span) => alongAxis(graph, span, form)) as [Axis, Axis];
  const points = form.taken.length;
  const shaped = (value: Value, ...sizes: number[]) => graph.reshape(value, graph.sizes(sizes));
  const byColumn = graph.matMul(across.taken, turned(graph, shaped(x, -1, channels * down.input, across.input)));
  const apart = shaped(byColumn, -1, points * across.tiles, channels, down.input);
  // [rows, q s, p t, channels]
  const met = graph.matMul(down.taken, turned(graph, apart));
  const byTile = shaped(met, -1, points, across.tiles, points, down.tiles * channels);
  const taken = shaped(graph.transpose(byTile, [1, 3, 0, 2, 4]), points ** 2, -1, channels);
  const product = graph.matMul(taken, turned(graph, kernelAt(graph, weight, form)));
  const together = shaped(product, points, points, -1, across.tiles, down.tiles * outputs);
  const byRow = graph.transpose(together, [2, 0, 3, 1, 4]);
  const summed = shaped(byRow, -1, points * across.tiles, points * down.tiles, outputs);
  const columns = graph.matMul(turned(graph, summed), down.given);
  const given = shaped(columns, -1, points * across.tiles, outputs * down.output);
  const y = graph.matMul(turned(graph, given), across.given);
  return shaped(y, -1, outputs, down.output, across.output);
}

/** A weight at each point: `[q p, outputs, channels]`. */
function kernelAt(graph: GraphBuilder, weight: Value, { kernel }: Tile): Value {
  const [outputs, channels] = weight.shape.map(Number) as [number, number];
  const both = kernel.flatMap((across) => kernel.map((down) => down.flatMap((y) => across.map((x) => x * y))));
  const taps = graph.reshape(weight, graph.sizes([outputs * channels, -1]));
  const product = graph.matMul(matrix(graph, both), turned(graph, taps));
  return graph.reshape(product, graph.sizes([both.length, outputs, channels]));
}

/** How an axis goes to the points of its tiles, and back. */
interface Axis extends Span {
  readonly tiles: number;
  /** `[points tiles, input]`. */
  readonly taken: Value;
  /** `[points tiles, output]`. */
  readonly given: Value;
}

function alongAxis(graph: GraphBuilder, span: Span, { size, taken, given }: Tile): Axis {
  const tiles = Math.ceil(span.output / size);
  const atTiles = (points: Tile["taken"], length: number, before: number) =>
    points.flatMap((numbers) =>
      Array.from({ length: tiles }, (_, index) =>
        Array.from({ length }, (_, place) => numbers[place + before - index * size] ?? 0),
      ),
    );
  return {
    ...span,
    tiles,
    taken: matrix(graph, atTiles(taken, span.input, span.before)),
    given: matrix(graph, atTiles(given, span.output, 0)),
  };
}

function matrix(graph: GraphBuilder, rows: readonly (readonly number[])[]): Value {
  return graph.constant("FP32", [rows.length, rows[0]!.length], rows.flat());
}

/** Matrices with each one transposed. */
function turned(graph: GraphBuilder, x: Value): Value {
  const axes = [...x.shape.keys()];
  return graph.transpose(x, [...axes.slice(0, -2), ...axes.slice(-2).reverse()]);
}
