import { Random } from "../../../../lib/random.ts";
import { specError } from "../../graph/spec-error.ts";
import type { Assignment, Parameter } from "./parameters.ts";

/** More trials than this are refused. */
export const trialsMax = 1000;

/** All combinations, the last parameter's values fastest; SPEC_INVALID where a parameter has no list of values, or there are too many. */
export function gridOf(parameters: readonly Parameter[]): readonly Assignment[] {
  let combinations: readonly Assignment[] = [{}];
  for (const [index, { field, range }] of parameters.entries()) {
    if (range.kind !== "values") throw specError(`parameters[${index}]`, "a range", "values, for a grid");
    combinations = combinations.flatMap((one) => range.values.map((value) => ({ ...one, [field]: value })));
    if (combinations.length > trialsMax) {
      throw specError("parameters", `more than ${trialsMax} combinations`, `at most ${trialsMax}`);
    }
  }
  return combinations;
}

/** So many combinations by chance; the same seed gives the same ones, and the first of them are the same for any count. */
export function drawsOf(parameters: readonly Parameter[], count: number, seed: number): readonly Assignment[] {
  return Array.from({ length: count }, (_, index) => {
    const random = new Random(seed, `sweep trial ${index}`);
    return Object.fromEntries(parameters.map((parameter) => [parameter.field, drawn(parameter, random)]));
  });
}

/** The first of each parameter's values, and for each further value (or end of a range) one combination that differs in it. */
export function samplesOf(parameters: readonly Parameter[]): readonly Assignment[] {
  const choices = parameters.map(({ field, range }) => ({
    field,
    values: range.kind === "values" ? range.values : [range.low, range.high],
  }));
  const first = Object.fromEntries(choices.map(({ field, values }) => [field, values[0]]));
  return [
    first,
    ...choices.flatMap(({ field, values }) => values.slice(1).map((value) => ({ ...first, [field]: value }))),
  ];
}

function drawn({ range }: Parameter, random: Random): unknown {
  if (range.kind === "values") return range.values[random.below(range.values.length)];
  const { low, high, spread } = range;
  const share = random.uniform();
  // A whole number has the room of half a unit on each side.
  const [from, to] = spread.whole ? [low - 0.5, high + 0.5] : [low, high];
  const start = spread.logarithmic ? Math.max(from, low / 2) : from;
  const value = spread.logarithmic ? start * (to / start) ** share : from + (to - from) * share;
  return Math.min(Math.max(spread.whole ? Math.round(value) : value, low), high);
}
