import type { Elements } from "../graph.ts";
import { intOf, intsOf } from "../operators/inference.ts";
import type { Constant, Fold } from "./fold.ts";
import { coordinatesOf, picked, stridesOf } from "./places.ts";

const asItIs: Fold = ([x]) => x!.elements;

/** Operators that give elements of their inputs in another arrangement, or make some. */
export const arrangementFolds = {
  Identity: asItIs,
  Reshape: asItIs,
  Flatten: asItIs,
  Squeeze: asItIs,
  Unsqueeze: asItIs,
  Transpose: ([x], attributes, { shape }) => {
    const perm = intsOf(attributes, "perm") ?? shape.map((_, axis) => axis).reverse();
    const strides = stridesOf(x!.shape);
    return picked(x!.elements, shape, (at) =>
      at.reduce((place, index, axis) => place + index * strides[perm[axis]!]!, 0),
    );
  },
  Expand: ([x], _attributes, { shape }) => {
    const strides = stridesOf(x!.shape);
    const added = shape.length - x!.shape.length;
    return picked(x!.elements, shape, (at) =>
      x!.shape.reduce((place, size, axis) => place + (size === 1 ? 0 : at[axis + added]! * strides[axis]!), 0),
    );
  },
  Slice: ([x, starts, _ends, axes, steps], _attributes, { shape }) => {
    const rank = x!.shape.length;
    const [first, step] = [Array<number>(rank).fill(0), Array<number>(rank).fill(1)];
    for (const [index, start] of Array.from(starts!.elements, Number).entries()) {
      const axis = numberAt(axes, index, index);
      const front = axis < 0 ? axis + rank : axis;
      const size = x!.shape[front]!;
      step[front] = numberAt(steps, index, 1);
      const place = start < 0 ? start + size : start;
      first[front] = Math.min(Math.max(place, 0), step[front] > 0 ? size : size - 1);
    }
    const strides = stridesOf(x!.shape);
    return picked(x!.elements, shape, (at) =>
      at.reduce((place, index, axis) => place + (first[axis]! + index * step[axis]!) * strides[axis]!, 0),
    );
  },
  Gather: ([x, indices], attributes, { shape }) => {
    const axis = (intOf(attributes, "axis", 0) + x!.shape.length) % x!.shape.length;
    const size = x!.shape[axis]!;
    const places = Array.from(indices!.elements, Number).map((index) => (index < 0 ? index + size : index));
    // The runtime refuses them when it comes to them.
    if (places.some((place) => place < 0 || place >= size)) return undefined;
    const [strides, indexStrides] = [stridesOf(x!.shape), stridesOf(indices!.shape)];
    const rank = indices!.shape.length;
    return picked(x!.elements, shape, (at) => {
      const which = indexStrides.reduce((place, stride, index) => place + at[axis + index]! * stride, 0);
      const own = [...at.slice(0, axis), places[which]!, ...at.slice(axis + rank)];
      return own.reduce((place, index, each) => place + index * strides[each]!, 0);
    });
  },
  Concat: (parts, attributes, { shape }) => {
    const axis = (intOf(attributes, "axis", 0) + shape.length) % shape.length;
    const joined = emptyLike(parts[0]!, shape);
    const strides = stridesOf(shape);
    let begin = 0;
    for (const part of parts) {
      for (const [place, at] of coordinatesOf(part.shape).entries()) {
        const to = at.reduce((sum, index, each) => sum + (each === axis ? index + begin : index) * strides[each]!, 0);
        joined[to] = part.elements[place]!;
      }
      begin += part.shape[axis]!;
    }
    return joined as Elements;
  },
  ConstantOfShape: (_inputs, { value }, { shape }) => {
    const count = shape.reduce((product, size) => product * size, 1);
    if (value?.kind !== "tensor") return value === undefined ? new Float32Array(count) : undefined;
    const { elements } = value.value;
    return elements && picked(elements, shape, () => 0);
  },
  /** As the runtime adds it up, one after the other. */
  Range: ([start, , delta], _attributes, { dataType, shape: [count] }) => {
    if (dataType !== "INT64" && dataType !== "INT32") return undefined;
    const [from, by] = [Number(start!.elements[0]), Number(delta!.elements[0])];
    const numbers = Array.from({ length: count! }, (_, index) => from + index * by);
    return dataType === "INT64" ? BigInt64Array.from(numbers, BigInt) : Int32Array.from(numbers);
  },
} as const satisfies Record<string, Fold>;

function numberAt(values: Constant | undefined, index: number, otherwise: number): number {
  return values === undefined ? otherwise : Number(values.elements[index]);
}

function emptyLike({ elements }: Constant, shape: readonly number[]): (number | bigint)[] & Elements {
  const count = shape.reduce((product, size) => product * size, 1);
  return new (elements.constructor as new (length: number) => (number | bigint)[] & Elements)(count);
}
