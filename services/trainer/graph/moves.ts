import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import type { Parameter } from "./network.ts";
import { checkOptimizer, type Optimizer, stepScalars } from "./optimizers/optimizer.ts";
import { specError } from "./spec-error.ts";

/** How the parameters of a network move. Patterns are names of parameters in which each `*` stands for any text. */
export interface Moves {
  readonly optimizer: Optimizer;
  /** Bounds of gradients, before the optimizer sees them; by value first. */
  readonly clip?: Clip | undefined;
  /**
   * Parts that each batch is taken in, one after the other, their gradients averaged before the optimizer sees them: it needs the memory
   * of one part. A divisor of the batch's rows; 1 by default. Normalisation over a batch sees a part, and a loss that weighs rows is the
   * mean of the parts' own.
   */
  readonly accumulatedParts?: number | undefined;
  /**
   * The decay d of the moving average of weights, in [0, 1): `a ← d·a + (1 − d)·p` after each step, from the first weights on. The
   * averages are what is measured and what comes out. Source: Polyak and Juditsky 1992, exponentially weighted.
   */
  readonly averageDecay?: number | undefined;
  /** Parameters that move otherwise; the first group that a parameter matches is its own. */
  readonly groups?: readonly Group[] | undefined;
  /** Parameters that do not move at all. */
  readonly frozen?: readonly string[] | undefined;
}

/** Bounds of gradients; each above 0. */
export interface Clip {
  /** Of the length of all gradients together; longer ones are scaled down (Pascanu, Mikolov and Bengio 2013). */
  readonly norm?: number | undefined;
  /** Of each element's absolute value. */
  readonly value?: number | undefined;
}

/** Parameters that move otherwise than the others. */
export interface Group {
  readonly parameters: string;
  /** What the learning rate is multiplied by, at least 0; 1 by default. */
  readonly rateFactor?: number | undefined;
  /** In the place of the optimizer's own, at least 0. */
  readonly weightDecay?: number | undefined;
}

/** A parameter that moves, and how. */
export interface Move {
  readonly parameter: Pick<Parameter, "name" | "shape">;
  readonly optimizer: Optimizer;
  /** The number of its group, from 1; 0 where it has none. */
  readonly group: number;
}

/** Throws SPEC_INVALID for what no network could be trained with, and for a pattern that matches none of its parameters. */
export function checkMoves(
  { optimizer, clip = {}, averageDecay, groups = [], frozen = [] }: Moves,
  parameters: readonly Parameter[] | undefined,
): void {
  checkOptimizer(optimizer);
  for (const [field, bound] of [["clip.norm", clip.norm] as const, ["clip.value", clip.value] as const]) {
    if (bound !== undefined && !(bound > 0 && bound < Infinity))
      throw specError(field, bound, "a finite number above 0");
  }
  if (averageDecay !== undefined && !(averageDecay >= 0 && averageDecay < 1)) {
    throw specError("average_decay", averageDecay, "a number in [0, 1)");
  }
  for (const [index, { rateFactor = 1, weightDecay = 0 }] of groups.entries()) {
    for (const [field, value] of [["rate_factor", rateFactor] as const, ["weight_decay", weightDecay] as const]) {
      if (!(value >= 0 && value < Infinity)) {
        throw specError(`groups[${index}].${field}`, value, "a finite number of at least 0");
      }
    }
  }
  if (parameters === undefined) return;
  const patterns = [
    ...groups.map((group, index) => [`groups[${index}].parameters`, group.parameters] as const),
    ...frozen.map((pattern, index) => [`frozen[${index}]`, pattern] as const),
  ];
  for (const [field, pattern] of patterns) {
    if (parameters.some(({ name }) => matches(name, pattern))) continue;
    throw specError(field, pattern, `a pattern of one of ${parameters.map(({ name }) => name).join(", ")}`);
  }
  if (movesOf({ optimizer, groups, frozen }, parameters).length === 0) {
    throw specError("frozen", frozen.join(", "), "patterns that leave a parameter to train");
  }
}

/** The parameters that move, in their order. */
export function movesOf(
  { optimizer, groups = [], frozen = [] }: Moves,
  parameters: readonly Parameter[],
): readonly Move[] {
  return parameters
    .filter(({ name }) => !frozen.some((pattern) => matches(name, pattern)))
    .map((parameter) => {
      const index = groups.findIndex((group) => matches(parameter.name, group.parameters));
      return {
        parameter,
        group: index + 1,
        optimizer: index < 0 ? optimizer : groupOptimizer(optimizer, groups[index]!),
      };
    });
}

/** The name of a number of the optimizer in a group. */
export function scalarName(name: string, group: number): string {
  return group === 0 ? name : `${name}.${group}`;
}

/** The numbers that change from step to step, by name; `step` counts from 1, `share` is that of the learning rate. */
export function moveScalars(moves: readonly Move[], step: number, share: number): Readonly<Record<string, number>> {
  const scalars: Record<string, number> = {};
  for (const [group, optimizer] of new Map(moves.map((move) => [move.group, move.optimizer]))) {
    const own = stepScalars(optimizer, step, optimizer.learningRate * share);
    for (const [name, number] of Object.entries(own)) scalars[scalarName(name, group)] = number;
  }
  return scalars;
}

/** The gradients within the bounds. */
export function clipped(graph: GraphBuilder, gradients: readonly Value[], { norm, value }: Clip): readonly Value[] {
  const within = value === undefined ? gradients : gradients.map((gradient) => clippedByValue(graph, gradient, value));
  if (norm === undefined) return within;
  const squares = within.map((gradient) => graph.reduceSum(graph.mul(gradient, gradient)));
  const length = graph.sqrt(squares.reduce((sum, square) => graph.add(sum, square)));
  const [bound, one] = [norm, 1].map((number) => graph.scalar(number, length.dataType)) as [Value, Value];
  const factor = graph.where(graph.greater(length, bound), graph.div(bound, length), one);
  return within.map((gradient) => graph.mul(gradient, factor));
}

function clippedByValue(graph: GraphBuilder, gradient: Value, value: number): Value {
  const [most, least] = [value, -value].map((number) => graph.scalar(number, gradient.dataType)) as [Value, Value];
  const notAbove = graph.where(graph.greater(gradient, most), most, gradient);
  return graph.where(graph.greater(least, notAbove), least, notAbove);
}

function groupOptimizer(optimizer: Optimizer, { rateFactor = 1, weightDecay }: Group): Optimizer {
  const learningRate = optimizer.learningRate * rateFactor;
  return weightDecay === undefined ? { ...optimizer, learningRate } : { ...optimizer, learningRate, weightDecay };
}

/** Each part between stars is looked for behind the one before it. */
function matches(name: string, pattern: string): boolean {
  const [first, ...rest] = pattern.split("*");
  if (rest.length === 0) return name === first;
  const last = rest.pop()!;
  if (!name.startsWith(first!) || !name.endsWith(last) || name.length < first!.length + last.length) return false;
  let at = first!.length;
  return rest.every((part) => {
    const found = name.indexOf(part, at);
    at = found + part.length;
    return found >= 0 && at <= name.length - last.length;
  });
}
