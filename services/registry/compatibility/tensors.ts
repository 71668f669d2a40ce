import type { TensorSpec } from "../../../lib/tensor.ts";
import { typeChangeOf } from "./data-types.ts";
import { breakageOf, type Difference, type Side } from "./difference.ts";
import { type ShapeChange, shapeChanges, shapeText } from "./shapes.ts";

/** What tells an input from the old one of the same name, or an output. */
export function tensorDifferences(side: Side, before: TensorSpec, after: TensorSpec): readonly Difference[] {
  return [
    ...typeDifferences(side, before, after),
    ...shapeChanges(before.shape, after.shape).map((change) => shapeDifference(side, before, after, change)),
    ...optionalityDifferences(side, before, after),
  ];
}

/** The path of an input or output, such as "inputs.pixels". */
export function tensorPath(side: Side, { name }: TensorSpec): string {
  return `${side}.${name}`;
}

/** What an input or output is called in a sentence, such as `input "pixels"`. */
export function tensorLabel(side: Side, { name }: TensorSpec): string {
  return `${side === "inputs" ? "input" : "output"} ${JSON.stringify(shortened(name))}`;
}

/** An input or output without its name, such as "FP32 [batch, 4]". */
export function tensorText({ dataType, shape }: TensorSpec): string {
  return `${dataType} ${shapeText(shape)}`;
}

/** A text as a sentence can have it. */
export function shortened(text: string): string {
  return text.length > charactersMax ? `${text.slice(0, charactersMax - 1)}…` : text;
}

const charactersMax = 100;

/** Requests name the element type, and nodes demand it exactly: a wider one does not take what a narrower one took. */
function typeDifferences(side: Side, before: TensorSpec, after: TensorSpec): Difference[] {
  const [oldValue, newValue] = [before.dataType, after.dataType];
  if (oldValue === newValue) return [];
  const path = `${tensorPath(side, before)}.data_type`;
  const message = `${tensorLabel(side, before)} has the type ${newValue} instead of ${oldValue}`;
  return [{ kind: typeChangeOf(oldValue, newValue), path, oldValue, newValue, message, ...breakageOf(side, "OTHER") }];
}

function shapeDifference(side: Side, before: TensorSpec, after: TensorSpec, change: ShapeChange): Difference {
  const { kind, axis, relation } = change;
  const path = `${tensorPath(side, before)}.shape${axis === undefined ? "" : `[${axis}]`}`;
  const [oldValue, newValue] = [textOf(before, axis), textOf(after, axis)];
  const values = `${shortened(newValue)} instead of ${shortened(oldValue)}`;
  const what = axis === undefined ? `the shape ${values}` : `size ${values} on axis ${axis}`;
  const message = `${tensorLabel(side, before)} has ${what}`;
  return { kind, path, oldValue, newValue, message, ...breakageOf(side, relation) };
}

function textOf({ shape }: TensorSpec, axis: number | undefined): string {
  return axis === undefined ? shapeText(shape) : String(shape[axis]);
}

function optionalityDifferences(side: Side, before: TensorSpec, after: TensorSpec): Difference[] {
  const [was, is] = [before.optional ?? false, after.optional ?? false];
  if (was === is) return [];
  const path = `${tensorPath(side, before)}.optional`;
  const message = `${tensorLabel(side, before)} ${is ? "may be left out" : "can no longer be left out"}`;
  const kind = is ? "INPUT_OPTIONAL" : "INPUT_REQUIRED";
  const breakage = breakageOf("inputs", is ? "MORE" : "LESS");
  return [{ kind, path, oldValue: String(was), newValue: String(is), message, ...breakage }];
}
