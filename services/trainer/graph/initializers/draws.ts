import type { Random } from "../../../../lib/random.ts";

/** Evenly in [low, high). */
export function uniformNumbers(length: number, low: number, high: number, random: Random): Float32Array {
  const [middle, half] = [(low + high) / 2, (high - low) / 2];
  const numbers = new Float32Array(length);
  for (let index = 0; index < length; index++) numbers[index] = middle + half * (2 * random.uniform() - 1);
  return numbers;
}

/** Normally distributed, within `bound` deviations of the mean. */
export function normalNumbers(
  length: number,
  mean: number,
  deviation: number,
  random: Random,
  bound = Infinity,
): Float32Array {
  const numbers = new Float32Array(length);
  let count = 0;
  while (count < length) {
    for (const number of normalPair(random)) {
      if (Math.abs(number) <= bound && count < length) numbers[count++] = mean + deviation * number;
    }
  }
  return numbers;
}

/**
 * A matrix whose rows, or columns where they are fewer, are at right angles and of the length `gain`, evenly among all such: normal
 * numbers, made orthogonal one after the other (Gram and Schmidt, twice over for precision). Row-major, in double precision inside.
 */
export function orthogonalMatrix(rows: number, columns: number, gain: number, random: Random): Float32Array {
  const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
  const vectors: Float64Array[] = [];
  for (let index = 0; index < count; index++) {
    const vector = Float64Array.from(normalNumbers(length, 0, 1, random));
    for (const _ of ["once", "again"]) for (const other of vectors) takeOff(vector, other);
    const norm = Math.sqrt(dot(vector, vector));
    vectors.push(vector.map((element) => element / norm));
  }
  const elements = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      elements[row * columns + column] = gain * (rows <= columns ? vectors[row][column] : vectors[column][row]);
    }
  }
  return elements;
}

/** Two independent numbers of the mean 0 and the deviation 1 (Box and Muller 1958). */
function normalPair(random: Random): readonly [number, number] {
  const distance = Math.sqrt(-2 * Math.log(1 - random.uniform()));
  const angle = 2 * Math.PI * random.uniform();
  return [distance * Math.cos(angle), distance * Math.sin(angle)];
}

/** Takes off `vector` what of it lies along `other`, which has the length 1. */
function takeOff(vector: Float64Array, other: Float64Array): void {
  const share = dot(vector, other);
  for (let index = 0; index < vector.length; index++) vector[index] -= share * other[index];
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += a[index] * b[index];
  return sum;
}
