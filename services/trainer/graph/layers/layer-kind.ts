import { ServiceError } from "../../../../lib/errors.ts";
import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import type { Mode, Parameter, Statistic } from "../network.ts";
import { specError } from "../spec-error.ts";

/** A layer that has passed every check, for rows of the shape that it was built for. */
export interface BuiltLayer {
  /** One row that goes out, without the batch axis. */
  readonly outputShape: readonly number[];
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Statistic[];
  /** Appends it to a graph; `x` is [rows, ...row]. */
  append(into: Appending, x: Value): Value;
}

/** What a network is being appended to. */
export interface Appending {
  readonly graph: GraphBuilder;
  readonly mode: Mode;
  /** The value of a parameter or statistic. */
  tensor(name: string): Value;
  /** Says what a statistic is after the step. */
  changed(name: string, value: Value): void;
  /** `x` as it is in inference; in training, with a mask of its own for each call. */
  dropout(x: Value, ratio: number): Value;
}

/**
 * Checks a layer for rows of the shape `input`, without the batch axis, and builds it. Throws SPEC_INVALID that names the layer and its
 * field, or the shape given and the one needed.
 */
export type LayerKind<L> = (layer: L, input: readonly number[], place: Place) => BuiltLayer;

/** Where a layer stands. */
export interface Place {
  /** For messages, such as `layers[2]`. */
  readonly field: string;
  /** For its parameters, such as `layers.2`. */
  readonly name: string;
  /** Whether rows are tokens, which is so for the first layer of a network alone. */
  readonly takesTokens: boolean;
  /** The parameters of the layers before. */
  readonly known: readonly Parameter[];
}

/** The place of a part of a layer. */
export function placeWithin(place: Place, field: string, name = field): Place {
  return { ...place, field: `${place.field}.${field}`, name: `${place.name}.${name}`, takesTokens: false };
}

/** A layer without parameters that leaves the shape of rows as it is. */
export function elementwise(
  input: readonly number[],
  append: (graph: GraphBuilder, x: Value, into: Appending) => Value,
): BuiltLayer {
  return reshaping(input, append);
}

/** A layer without parameters. */
export function reshaping(
  outputShape: readonly number[],
  append: (graph: GraphBuilder, x: Value, into: Appending) => Value,
): BuiltLayer {
  return { outputShape, parameters: [], statistics: [], append: (into, x) => append(into.graph, x, into) };
}

/** One after the other; the shapes have been checked to fit. `input` is what comes out of none. */
export function inTurn(parts: readonly BuiltLayer[], input: readonly number[]): BuiltLayer {
  return {
    outputShape: parts.at(-1)?.outputShape ?? input,
    parameters: parts.flatMap(({ parameters }) => parameters),
    statistics: parts.flatMap(({ statistics }) => statistics),
    append: (into, x) => parts.reduce((value, part) => part.append(into, value), x),
  };
}

/** A layer that cannot take the rows that come in. `needed` says their shape in words, such as `[channels, height, width]`. */
export function shapeError(place: Place, kind: string, input: readonly number[], needed: string): ServiceError {
  const { field } = place;
  const message = `${field} (${kind}) is given rows of the shape [${input.join(", ")}]; needed: ${needed}`;
  return new ServiceError("SPEC_INVALID", message, { metadata: { field } });
}

const countMax = 2 ** 24;

export function checkCount(
  place: Pick<Place, "field">,
  field: string,
  value: number,
  least = 1,
  most = countMax,
): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw specError(`${place.field}.${field}`, value, `a whole number in [${least}, ${most}]`);
}

/** Refuses a shape of a row that has more axes than any layer needs. */
export function checkAxes(field: string, shape: readonly number[]): void {
  if (shape.length > axesMax) throw specError(field, `a shape of ${shape.length} axes`, `at most ${axesMax}`);
}

const axesMax = 16;

export function checkShare(place: Place, field: string, value: number): void {
  if (value >= 0 && value < 1) return;
  throw specError(`${place.field}.${field}`, value, "a number in [0, 1)");
}

export function checkPositive(place: Place, field: string, value: number): void {
  if (value > 0 && value < Infinity) return;
  throw specError(`${place.field}.${field}`, value, "a finite number above 0");
}

export function checkFinite(place: Place, field: string, value: number): void {
  if (!Number.isFinite(value)) throw specError(`${place.field}.${field}`, value, "a finite number");
}
