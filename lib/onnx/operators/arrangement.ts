import { assert } from "../../errors.ts";
import { productOf, quotientOf, sumOf } from "../dimensions.ts";
import type { Dimension, Shape, Value } from "../graph.ts";
import { broadcastShape, resolvedShape } from "../shapes.ts";
import { frontAxis, type Inference, intOf, intsOf, numbersOf, one, sizesOf } from "./inference.ts";

/** Operators that give all elements of their inputs in another arrangement, or tell the sizes. */
export const arrangementOperators = {
  Reshape: one(([x, to], attributes) => {
    const keepsZeros = intOf(attributes, "allowzero", 0) === 0;
    return { dataType: x.dataType, shape: resolvedShape(x.shape, sizesOf(to), keepsZeros), sizes: x.sizes };
  }),
  Flatten: one(([{ dataType, shape }], attributes) => {
    const axis = intOf(attributes, "axis", 1);
    assert(
      axis >= -shape.length && axis <= shape.length,
      `Flatten's axis ${axis} is in [${-shape.length}, ${shape.length}]`,
    );
    return {
      dataType,
      shape: [productOf(shape.slice(0, axis)), productOf(shape.slice(axis < 0 ? axis + shape.length : axis))],
    };
  }),
  Expand: one(([x, to]) => ({ dataType: x.dataType, shape: broadcastShape(x.shape, sizesOf(to)) })),
  Unsqueeze: one(([x, axes]) => ({
    dataType: x.dataType,
    shape: unsqueezed(x.shape, numbersOf(axes)),
    sizes: x.sizes,
  })),
  Squeeze: one(([x, axes]) => ({
    dataType: x.dataType,
    shape: squeezed(x.shape, axes && numbersOf(axes)),
    sizes: x.sizes,
  })),
  Transpose: one(([{ dataType, shape }], attributes) => {
    const perm = intsOf(attributes, "perm") ?? shape.map((_, axis) => axis).reverse();
    assert(
      `${perm.toSorted((a, b) => a - b)}` === `${[...shape.keys()]}`,
      `a permutation names each of ${shape.length} axes once, unlike [${perm}]`,
    );
    return { dataType, shape: perm.map((axis) => shape[axis]) };
  }),
  Tile: one(([x, repeats]) => {
    const counts = sizesOf(repeats);
    assert(counts.length === x.shape.length, `Tile repeats each of ${x.shape.length} axes, not ${counts.length}`);
    return { dataType: x.dataType, shape: x.shape.map((size, axis) => productOf([size, counts[axis]])) };
  }),
  Concat: one((inputs, attributes) => {
    const [{ dataType, shape }] = inputs;
    const axis = frontAxis(intOf(attributes, "axis", 0), shape.length);
    const others = (of: Shape) => `${of.with(axis, "")}`;
    assert(
      inputs.every(
        (x) => x.dataType === dataType && x.shape.length === shape.length && others(x.shape) === others(shape),
      ),
      `parts differ only along axis ${axis}, unlike ${inputs.map((x) => `${x.dataType} [${x.shape}]`).join(", ")}`,
    );
    const joined = shape.with(axis, sumOf(inputs.map((x) => x.shape[axis])));
    return { dataType, shape: joined, ...(areSizes(inputs) && { sizes: inputs.flatMap(sizesOf) }) };
  }),
  Split: (inputs, attributes) => {
    const [{ dataType, shape }, split] = inputs;
    const axis = frontAxis(intOf(attributes, "axis", 0), shape.length);
    const sizes = split === undefined ? equalParts(shape[axis], intOf(attributes, "num_outputs", 0)) : sizesOf(split);
    const total = sumOf(sizes);
    assert(
      typeof total === "string" || typeof shape[axis] === "string" || total === shape[axis],
      `parts of ${sizes} make up ${shape[axis]}`,
    );
    return sizes.map((size) => ({ dataType, shape: shape.with(axis, size) }));
  },
  Shape: one(([{ shape }], attributes) => {
    const sizes = shape.slice(intOf(attributes, "start", 0), intOf(attributes, "end", shape.length));
    return { dataType: "INT64", shape: [sizes.length], sizes };
  }),
  Size: one(([{ shape }]) => ({ dataType: "INT64", shape: [], sizes: [productOf(shape)] })),
  ConstantOfShape: one(([to], { value }) => ({
    dataType: value?.kind === "tensor" ? value.value.dataType : "FP32",
    shape: sizesOf(to),
  })),
  Range: one(([start, limit, delta]) => {
    const [from, to, by] = [start, limit, delta].map((value) => sizesOf(value)[0]);
    if (typeof from === "number" && typeof to === "number" && typeof by === "number") {
      return { dataType: start.dataType, shape: [Math.max(0, Math.ceil((to - from) / by))] };
    }
    return { dataType: start.dataType, shape: [from === 0 && by === 1 ? to : `[${from}:${to}:${by}]`] };
  }),
} as const satisfies Record<string, Inference>;

function unsqueezed(shape: Shape, axes: readonly number[]): Shape {
  const rank = shape.length + axes.length;
  const added = new Set(axes.map((axis) => frontAxis(axis, rank)));
  assert(added.size === axes.length, `axes are different, unlike [${axes}]`);
  const rest = [...shape];
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (rest.shift() as Dimension)));
}

/** A named size is taken to be other than 1 where no axes are given. */
function squeezed(shape: Shape, axes: readonly number[] | undefined): Shape {
  if (axes === undefined) return shape.filter((size) => size !== 1);
  const dropped = new Set(axes.map((axis) => frontAxis(axis, shape.length)));
  const wrong = shape.filter((size, axis) => dropped.has(axis) && typeof size === "number" && size !== 1);
  assert(wrong.length === 0, `squeezed axes have the size 1, not ${wrong}`);
  return shape.filter((_, axis) => !dropped.has(axis));
}

/** So many parts, all of one size but the last, which may be smaller (ONNX Split 18). */
function equalParts(size: Dimension, count: number): Shape {
  assert(count >= 1, `Split has num_outputs or the sizes of its parts`);
  const part = quotientOf(size, count);
  return Array.from({ length: count }, (_, index) => {
    if (typeof size === "string" || typeof part === "string") return part;
    return index < count - 1 ? part : size - part * (count - 1);
  });
}

/** Whether vectors may hold sizes, some of which are known or have a name. */
function areSizes(values: readonly Value[]): boolean {
  const areVectors = values.every(({ dataType, shape: [size, ...rest] }) => {
    return dataType === "INT64" && typeof size === "number" && rest.length === 0;
  });
  return areVectors && values.some(({ sizes, elements }) => (sizes ?? elements) !== undefined);
}
