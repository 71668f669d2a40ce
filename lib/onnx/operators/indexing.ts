import { assert } from "../../errors.ts";
import { slicedSize } from "../dimensions.ts";
import type { Dimension, Shape, Value } from "../graph.ts";
import { mayBeEqual } from "../shapes.ts";
import { frontAxis, type Inference, intOf, numbersOf, one, sizesOf } from "./inference.ts";

/** Operators that take some elements of a tensor, or put some into it. */
export const indexingOperators = {
  Slice: one(([x, starts, ends, axes, steps]) => {
    const [from, to] = [sizesOf(starts), sizesOf(ends)];
    const sliced = (axes === undefined ? from.map((_, index) => index) : numbersOf(axes)).map((axis) =>
      frontAxis(axis, x.shape.length),
    );
    const by = steps === undefined ? from.map(() => 1) : sizesOf(steps);
    assert(
      [to, sliced, by].every(({ length }) => length === from.length),
      `Slice has as many starts (${from.length}) as ends (${to.length}), axes (${sliced.length}) and steps (${by.length})`,
    );
    assert(!by.includes(0), "a step of Slice is not 0");
    const shape = sliced.reduce(
      (sizes: Shape, axis, index) => sizes.with(axis, slicedSize(sizes[axis], from[index], to[index], by[index])),
      x.shape,
    );
    return { dataType: x.dataType, shape, ...slicedSizes(x, from[0], to[0], by[0]) };
  }),
  Gather: one(([x, indices], attributes) => {
    const axis = frontAxis(intOf(attributes, "axis", 0), x.shape.length);
    assertIndices(indices);
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    return { dataType: x.dataType, shape, ...pickedSizes(x, indices) };
  }),
  GatherElements: one(([x, indices], attributes) => {
    frontAxis(intOf(attributes, "axis", 0), x.shape.length);
    assertIndices(indices);
    assert(indices.shape.length === x.shape.length, `indices have ${x.shape.length} axes, not ${indices.shape.length}`);
    return { dataType: x.dataType, shape: indices.shape };
  }),
  GatherND: one(([x, indices], attributes) => {
    assertIndices(indices);
    const batched = intOf(attributes, "batch_dims", 0);
    const length = batched + indexLength(indices);
    assert(
      length <= x.shape.length,
      `an index of ${length} numbers points into the ${x.shape.length} axes of [${x.shape}]`,
    );
    return {
      dataType: x.dataType,
      shape: [...indices.shape.slice(0, -1), ...x.shape.slice(length)],
    };
  }),
  ScatterElements: one(([x, indices, updates], attributes) => {
    frontAxis(intOf(attributes, "axis", 0), x.shape.length);
    assertIndices(indices);
    assert(
      mayBeEqual(updates.shape, indices.shape),
      `updates have the shape [${indices.shape}] of their indices, not [${updates.shape}]`,
    );
    assert(updates.dataType === x.dataType, `updates are of ${x.dataType}, not ${updates.dataType}`);
    return { dataType: x.dataType, shape: x.shape };
  }),
  ScatterND: one(([x, indices, updates]) => {
    assertIndices(indices);
    const length = indexLength(indices);
    assert(
      length <= x.shape.length,
      `an index of ${length} numbers points into the ${x.shape.length} axes of [${x.shape}]`,
    );
    const needed = [...indices.shape.slice(0, -1), ...x.shape.slice(length)];
    assert(mayBeEqual(updates.shape, needed), `updates are of shape [${needed}], not [${updates.shape}]`);
    assert(updates.dataType === x.dataType, `updates are of ${x.dataType}, not ${updates.dataType}`);
    return { dataType: x.dataType, shape: x.shape };
  }),
  Trilu: one(([{ dataType, shape }]) => {
    assert(shape.length >= 2, `Trilu takes matrices, not [${shape}]`);
    return { dataType, shape };
  }),
} as const satisfies Record<string, Inference>;

function assertIndices({ dataType }: Value): void {
  assert(dataType === "INT64" || dataType === "INT32", `indices are of INT64 or INT32, not ${dataType}`);
}

/** Of how many numbers an index of GatherND and ScatterND consists. */
function indexLength({ name, shape }: Value): number {
  const length = shape.at(-1);
  assert(typeof length === "number", `the last size of ${name} [${shape}] is known when the graph is built`);
  return length;
}

/** Those of a vector of sizes from `start` to before `end`, where it is known which. */
function slicedSizes({ sizes, shape }: Value, start: Dimension, end: Dimension, step: Dimension): { sizes?: Shape } {
  const isKnown = [start, end].every((place) => typeof place === "number");
  if (sizes === undefined || shape.length !== 1 || !isKnown || step !== 1) return {};
  return { sizes: sizes.slice(Number(start), Number(end)) };
}

/** The sizes that are picked out of a vector of sizes, where it is known which. */
function pickedSizes({ sizes, shape: [, ...more] }: Value, { elements, shape }: Value): { sizes?: Shape } {
  if (sizes === undefined || elements === undefined || shape.length > 1 || more.length > 0) return {};
  return { sizes: Array.from(elements, Number).map((index) => sizes.at(index) as Dimension) };
}
