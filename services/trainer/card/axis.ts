/** An axis of a chart. */
export interface Axis {
  /** Where a value lies, from 0 at the axis's begin to 1 at its end. */
  placeOf(value: number): number;
  /** Values that are worth a mark, ascending. */
  readonly ticks: readonly number[];
}

/** From which ratio of the largest to the least value on an axis counts orders of magnitude. */
const logarithmicFrom = 50;

/** An axis with room for finite values, at least one: even, or logarithmic where they are positive and far apart. */
export function axisOf(values: readonly number[]): Axis {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least > 0 && most / least >= logarithmicFrom ? logarithmic(least, most) : even(least, most);
}

/** An even axis, marked at multiples of 1, 2 or 5 times a power of ten. */
export function even(least: number, most: number): Axis {
  // What is nearly the same, or nearly 0, would need steps that numbers cannot tell apart.
  const size = Math.max(Math.abs(least), Math.abs(most));
  const width = size < sizeMin ? 1 : Math.max(most - least || size, size * widthMin);
  const step = roundStep(width / 5);
  const [begin, end] = [Math.floor(least / step), Math.max(Math.ceil(most / step), Math.floor(least / step) + 1)];
  return {
    placeOf: (value) => (value / step - begin) / (end - begin),
    ticks: Array.from({ length: end - begin + 1 }, (_, index) => tidy((begin + index) * step)),
  };
}

const [sizeMin, widthMin] = [1e-300, 1e-9];

/** Marked at powers of ten. */
function logarithmic(least: number, most: number): Axis {
  const [begin, end] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
  const every = Math.ceil((end - begin) / 8);
  const powers = Array.from({ length: end - begin + 1 }, (_, index) => begin + index);
  return {
    placeOf: (value) => (Math.log10(value) - begin) / (end - begin),
    ticks: powers.filter((power) => (power - begin) % every === 0).map((power) => tidy(10 ** power)),
  };
}

function roundStep(width: number): number {
  const power = 10 ** Math.floor(Math.log10(width));
  return [1, 2, 5, 10].find((factor) => factor * power >= width * (1 - 1e-9))! * power;
}

/** Without what rounding has added. */
function tidy(value: number): number {
  return Number(value.toPrecision(12));
}
