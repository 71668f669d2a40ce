import type { Dimension } from "./graph.ts";

/*
 * Sizes that follow from others. One that is known only at run time is named by how it follows, so that the same size of the same
 * dimension has the same name wherever it is worked out.
 */

export function sumOf(sizes: readonly Dimension[]): Dimension {
  const named = sizes.filter((size) => typeof size === "string");
  const known = sizes.filter((size) => typeof size === "number").reduce((sum, size) => sum + size, 0);
  if (named.length === 0) return known;
  const terms = known === 0 ? named.sort() : [...named.sort(), known];
  return terms.length === 1 ? terms[0] : `(${terms.join(" + ")})`;
}

export function productOf(sizes: readonly Dimension[]): Dimension {
  const all = sizes.flatMap(factorsOf);
  const named = all.filter((size) => typeof size === "string");
  const known = all.filter((size) => typeof size === "number").reduce((product, size) => product * size, 1);
  if (named.length === 0 || known === 0) return known;
  const factors = known === 1 ? named.sort() : [known, ...named.sort()];
  return factors.length === 1 ? factors[0] : `(${factors.join(" · ")})`;
}

/** `count` divided by `by`, rounded up where both are known. Factors that both have are left out. */
export function quotientOf(count: Dimension, by: Dimension): Dimension {
  if (count === by) return 1;
  if (typeof count === "number" && typeof by === "number") return Math.ceil(count / by);
  const left = [...factorsOf(count)];
  const divisors = factorsOf(by).filter((factor) => typeof factor === "number" || !removed(left, factor));
  const [known, divisor] = [left, divisors].map((factors) =>
    productOf(factors.filter((size) => typeof size === "number")),
  );
  const isWhole = divisors.every((factor) => typeof factor === "number") && Number(known) % Number(divisor) === 0;
  if (!isWhole) return `(${count} / ${by})`;
  return productOf([Number(known) / Number(divisor), ...left.filter((size) => typeof size === "string")]);
}

/** Takes the first dimension equal to `size` out of `shape`; whether there was one. */
export function removed(shape: Dimension[], size: Dimension): boolean {
  const index = shape.indexOf(size);
  if (index >= 0) shape.splice(index, 1);
  return index >= 0;
}

/** The factors of a size that is named by {@link productOf}; of another one, the size itself. */
function factorsOf(size: Dimension): readonly Dimension[] {
  if (typeof size === "number" || !size.startsWith("(") || !size.endsWith(")")) return [size];
  const factors: string[] = [""];
  let depth = 0;
  for (const character of size.slice(1, -1)) {
    depth += { "(": 1, ")": -1 }[character] ?? 0;
    if (depth < 0) return [size];
    if (character === "·" && depth === 0) factors.push("");
    else factors[factors.length - 1] += character;
  }
  return factors.length === 1
    ? [size]
    : factors.map((factor) => (/^ ?\d+ ?$/.test(factor) ? Number(factor) : factor.trim()));
}

/**
 * How many elements a slice takes of an axis of `size`: from `start` to before `end` in steps of `step`, which is not 0. Below 0, `start` and
 * `end` count from the end; beyond the ends they are moved to them (ONNX Slice 13).
 */
export function slicedSize(size: Dimension, start: Dimension, end: Dimension, step: Dimension): Dimension {
  if (typeof size === "string" || typeof start === "string" || typeof end === "string" || typeof step === "string") {
    const isWhole = start === 0 && step === 1 && (end === size || Number(end) >= 2 ** 31 - 1);
    return isWhole ? size : `${size}[${start}:${end}:${step}]`;
  }
  const clamped = (place: number, first: number, last: number) =>
    Math.min(Math.max(place < 0 ? place + size : place, first), last);
  const [from, to] =
    step > 0
      ? [clamped(start, 0, size), clamped(end, 0, size)]
      : [clamped(start, 0, size - 1), clamped(end, -1, size - 1)];
  return Math.max(0, Math.ceil((to - from) / step));
}

/** The number that a size is once the named ones that it follows from are known; undefined where one of them is not. */
export function sizeAt(size: Dimension, known: ReadonlyMap<string, number>): number | undefined {
  const number = numberFor(String(size), known);
  return Number.isNaN(number) ? undefined : Math.ceil(number);
}

/** What the words of the functions above stand for, the loosest first; NaN for a name that is not known. */
function numberFor(words: string, known: ReadonlyMap<string, number>): number {
  const named = known.get(words);
  if (named !== undefined) return named;
  if (/^-?\d+$/.test(words)) return Number(words);
  for (const [sign, joined] of signs) {
    const parts = partsBetween(words, ` ${sign} `);
    if (parts.length > 1) return parts.map((part) => numberFor(part, known)).reduce(joined);
  }
  const [, rounding, inner] = /^(floor|ceil|)\((.*)\)$/.exec(words) ?? [];
  if (inner === undefined) return Number.NaN;
  const value = numberFor(inner, known);
  return { floor: Math.floor(value), ceil: Math.ceil(value) }[rounding] ?? value;
}

const signs: readonly (readonly [string, (a: number, b: number) => number])[] = [
  ["+", (a, b) => a + b],
  ["·", (a, b) => a * b],
  ["/", (a, b) => a / b],
];

/** The parts between separators that are in no brackets. */
function partsBetween(words: string, separator: string): readonly string[] {
  const depthOf = (text: string) => text.split("(").length - text.split(")").length;
  const parts: string[] = [];
  for (const part of words.split(separator)) {
    const last = parts.at(-1);
    if (last === undefined || depthOf(last) === 0) parts.push(part);
    else parts[parts.length - 1] = last + separator + part;
  }
  return parts;
}
