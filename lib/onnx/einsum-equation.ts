import { assert } from "../errors.ts";
import type { Dimension, Shape } from "./graph.ts";

/** An equation of Einsum with every axis named by a letter, those of an ellipsis too. */
export interface EinsumEquation {
  /** Of each operand its axes. */
  readonly terms: readonly string[];
  readonly result: string;
  /** Of each letter the size; of an axis that broadcasts the one that is not 1. */
  readonly sizes: ReadonlyMap<string, Dimension>;
}

/**
 * Reads an equation for operands of known ranks. Without an arrow the result has the ellipsis and then the letters that stand once, in the
 * alphabet's order (ONNX Einsum 12).
 */
export function einsumEquation(equation: string, shapes: readonly Shape[]): EinsumEquation {
  const [left, right] = equation.replaceAll(" ", "").split("->");
  const written = left.split(",");
  assert(written.length === shapes.length, `${equation} has a term for each of ${shapes.length} operands`);
  const free = [...letters].filter((letter) => !equation.includes(letter));
  const ranks = written.map((term, index) => shapes[index].length - term.replace("...", "").length);
  const ellipsis = free.slice(0, Math.max(0, ...ranks.filter((_, index) => written[index].includes("...")))).join("");
  const named = (term: string, rank: number) => term.replace("...", ellipsis.slice(ellipsis.length - rank));
  const terms = written.map((term, index) => named(term, Math.max(0, ranks[index])));
  const sizes = new Map<string, Dimension>();
  for (const [index, term] of terms.entries()) {
    const shape = shapes[index];
    assert(/^[a-zA-Z]*$/.test(term), `the term ${written[index]} of ${equation} is letters and at most one ellipsis`);
    assert(term.length === shape.length, `the term ${written[index]} of ${equation} names each axis of [${shape}]`);
    for (const [axis, letter] of [...term].entries())
      sizes.set(letter, joined(letter, sizes.get(letter) ?? 1, shape[axis]));
  }
  const result = right === undefined ? ellipsis + implied(written) : named(right, ellipsis.length);
  assert(/^[a-zA-Z]*$/.test(result), `the result ${right} of ${equation} is letters and at most one ellipsis`);
  for (const letter of result) assert(sizes.has(letter), `the result's axis ${letter} is one of a term of ${equation}`);
  assert(new Set(result).size === result.length, `the result's axes are different in ${equation}`);
  return { terms, result, sizes };
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function joined(letter: string, a: Dimension, b: Dimension): Dimension {
  assert(a === b || a === 1 || b === 1, `the axis ${letter} has one size, not ${a} and ${b}`);
  return a === 1 ? b : a;
}

function implied(written: readonly string[]): string {
  const all = [...written.join("").replaceAll(".", "")];
  return all
    .filter((letter) => all.indexOf(letter) === all.lastIndexOf(letter))
    .sort()
    .join("");
}
