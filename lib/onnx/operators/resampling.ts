import { assert } from "../../errors.ts";
import { sumOf } from "../dimensions.ts";
import type { Shape, Value } from "../graph.ts";
import { frontAxis, type Inference, intsOf, numbersOf, one, sizesOf, stringOf } from "./inference.ts";

/** Operators that add elements at the ends of axes, or between others. */
export const resamplingOperators = {
  Pad: one(([x, pads, value, axes]) => {
    const added = sizesOf(pads);
    const padded = axesOf(axes && numbersOf(axes), x.shape);
    assert(added.length === 2 * padded.length, `pads [${added}] has two sizes for each of ${padded.length} axes`);
    assert(
      value === undefined || value.dataType === x.dataType,
      `the value is of ${x.dataType}, not ${value?.dataType}`,
    );
    const shape = [...x.shape];
    for (const [place, axis] of padded.entries()) {
      shape[axis] = sumOf([shape[axis], added[place], added[place + padded.length]]);
    }
    return { dataType: x.dataType, shape };
  }),
  Resize: one(([x, , scales, sizes], attributes) => {
    const policy = stringOf(attributes, "keep_aspect_ratio_policy", "stretch");
    assert(policy === "stretch", `keep_aspect_ratio_policy is stretch, not ${policy}`);
    const resized = axesOf(intsOf(attributes, "axes"), x.shape);
    const wanted = sizes === undefined ? undefined : sizesOf(sizes);
    const factors = wanted === undefined ? factorsOf(scales) : undefined;
    assert(
      (wanted ?? factors)?.length === resized.length,
      `Resize has sizes or scales for each of ${resized.length} axes`,
    );
    const shape = [...x.shape];
    for (const [place, axis] of resized.entries())
      shape[axis] = wanted?.[place] ?? scaled(shape[axis], factors?.[place] ?? 1);
    return { dataType: x.dataType, shape };
  }),
} as const satisfies Record<string, Inference>;

/** The scales that a Resize is given, which are known when the graph is built. */
export function factorsOf(scales: Value | undefined): readonly number[] {
  assert(scales?.elements !== undefined, "the scales of Resize are known when the graph is built");
  return Array.from(scales.elements, Number);
}

/** Axes counted from the front, all when not given. */
export function axesOf(axes: readonly number[] | undefined, shape: Shape): readonly number[] {
  return axes === undefined ? shape.map((_, axis) => axis) : axes.map((axis) => frontAxis(axis, shape.length));
}

function scaled(size: Shape[number], factor: number): Shape[number] {
  if (typeof size === "number") return Math.floor(size * factor);
  return factor === 1 ? size : `(${factor} · ${size})`;
}
