import type { Elements } from "../graph.ts";

/** How far apart, in a row-major tensor, the elements are that are next to each other along each axis. */
export function stridesOf(shape: readonly number[]): readonly number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
}

/** The indices of every element of a tensor, in row-major order. */
export function coordinatesOf(shape: readonly number[]): readonly (readonly number[])[] {
  return shape.reduce<readonly (readonly number[])[]>(
    (before, size) => before.flatMap((at) => Array.from({ length: size }, (_, index) => [...at, index])),
    [[]],
  );
}

/** Elements of a tensor of `shape`, each taken from where `placeOf` its indices says. */
export function picked(
  elements: Elements,
  shape: readonly number[],
  placeOf: (indices: readonly number[]) => number,
): Elements {
  const places = coordinatesOf(shape).map(placeOf);
  const result = new (elements.constructor as Float32ArrayConstructor)(places.length);
  for (const [index, place] of places.entries()) result[index] = elements[place] as number;
  return result;
}

/** Where the element with these indices is in a row-major tensor that is broadcast to have as many axes. */
export function broadcastPlace(shape: readonly number[], indices: readonly number[]): number {
  const strides = stridesOf(shape);
  const added = indices.length - shape.length;
  return shape.reduce((place, size, axis) => place + (size === 1 ? 0 : indices[axis + added]! * strides[axis]!), 0);
}
