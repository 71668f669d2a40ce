import { GraphBuilder, type LoopResult } from "../../../lib/onnx/builder.ts";
import type { Dimension, Graph, Value } from "../../../lib/onnx/graph.ts";
import { pruned } from "../../../lib/onnx/pruned.ts";
import { Random } from "../../../lib/random.ts";
import { type Learn, learnedInParts } from "./accumulation.ts";
import { gradients } from "./gradients.ts";
import { type Loss, lossValues, targetForm } from "./losses/loss.ts";
import type { LossValues } from "./losses/loss-kind.ts";
import { clipped, type Move, type Moves, moveScalars, movesOf, scalarName } from "./moves.ts";
import type { Network } from "./network.ts";
import { stateNames, stepScalars, updateOf } from "./optimizers/optimizer.ts";
import { averaged } from "./optimizers/optimizer-kind.ts";

/** A tensor that is handed from call to call: a graph input `name` and, after the call, an output `next.<name>`. */
export interface StateTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** The parameter or statistic whose first elements it begins with; zeros where it is left out. */
  readonly startsAs?: string;
}

/**
 * Several training steps as one graph: a Loop whose body takes batch i, runs the network forward and backward and
 * updates the parameters.
 *
 * - in: `features` [steps, rows, ...] and `targets` [steps, rows, ...]; `steps_before` INT32 [], the steps that were taken
 *   before; a FP32 [steps] for each name in `scalarNames` (see `moveScalars`); each tensor of `state` and of `frozen`, FP32.
 * - out: `loss` FP32 [steps], the batch's mean before its update; with class targets `correct_count` FP32 [steps], how
 *   many places were right; each tensor of `state` as `next.<name>`.
 *
 * `steps` and `rows` are free, so that an epoch's last, smaller batch runs on the same graph. Where batches are taken in parts, `features`
 * and `targets` are [steps, parts, rows, ...], and `parts` is free too.
 */
export interface TrainingGraph {
  readonly graph: Graph;
  /** Parameters that move, then the optimizer's tensors, averages of parameters, and the network's statistics. */
  readonly state: readonly StateTensor[];
  /** Parameters that do not. */
  readonly frozen: readonly StateTensor[];
  readonly scalarNames: readonly string[];
  /** What moves, and how. */
  readonly moving: readonly Move[];
  /** Of each parameter and statistic the tensor that is measured and comes out. */
  readonly results: ReadonlyMap<string, string>;
}

/**
 * `seed` is that of the run: it decides what dropout drops. With `sizes`, those of [steps, rows] or [steps, parts, rows], nothing is free, and
 * one step is taken without a Loop around it.
 */
export function trainingGraph(
  network: Network,
  loss: Loss,
  moves: Moves,
  seed: number,
  sizes?: readonly number[],
): TrainingGraph {
  const outer = new GraphBuilder("training");
  const { dataType, rowShape } = targetForm(loss, network);
  const isDivided = (moves.accumulatedParts ?? 1) > 1;
  const leading = sizes ?? ["steps", ...(isDivided ? ["parts"] : []), "rows"];
  const features = outer.input("features", network.input.dataType, [...leading, ...network.input.rowShape]);
  const targets = outer.input("targets", dataType, [...leading, ...rowShape]);
  const stepsBefore = outer.cast(outer.input("steps_before", "INT32", []), "INT64");
  const dropoutSeed = new Random(seed, "dropout").next();
  const moving = movesOf(moves, network.parameters);
  const scalarNames = Object.keys(moveScalars(moving, 1, 1));
  const scalars = scalarNames.map((name) => outer.input(name, "FP32", leading.slice(0, 1)));
  const state = stateTensors(network, moving, moves);
  const frozen = network.parameters
    .filter((parameter) => !moving.some((move) => move.parameter === parameter))
    .map(({ name, shape }) => ({ name, shape, startsAs: name }));
  const still = new Map(frozen.map(({ name, shape }) => [name, outer.input(name, "FP32", shape)]));
  const initial = state.map(({ name, shape }) => outer.input(name, "FP32", shape));
  const step = (body: GraphBuilder, iteration: Value, before: readonly Value[]): LoopResult => {
    const at = (values: Value) => body.gather(values, iteration);
    const held = new Map(state.map(({ name }, index) => [name, before[index]]));
    const tensors = new Map([...still, ...held]);
    const parameters = moving.map(({ parameter }) => held.get(parameter.name)!);
    const learn: Learn = (graph, rows, changed, step) => {
      const mode = { kind: "training", seed: dropoutSeed, step } as const;
      const { output, statistics } = network.append(graph, rows.features, new Map([...tensors, ...changed]), mode);
      const measured = lossValues(graph, loss, output, rows.targets);
      return { measured, slopes: gradients(graph, measured.mean, parameters), statistics };
    };
    const batch = { features: at(features), targets: at(targets) };
    const number = body.add(stepsBefore, iteration);
    const running = new Map(network.statistics.map(({ name }) => [name, held.get(name)!]));
    const { measured, slopes, statistics } = isDivided
      ? learnedInParts(body, batch, running, number, parameters, learn)
      : learn(body, batch, running, number);
    const bounded = clipped(body, slopes, moves.clip ?? {});
    const numbers = new Map(scalarNames.map((name, index) => [name, at(scalars[index])]));
    const next = new Map(moving.flatMap((move, index) => moved(body, move, bounded[index], held, numbers)));
    for (const [name, value] of statistics) next.set(name, value);
    if (moves.averageDecay !== undefined) averageAll(body, moving, moves.averageDecay, held, next);
    return { carried: state.map(({ name }) => next.get(name)!), scanned: reported(measured) };
  };
  const { carried, scanned } = leading[0] === 1 ? once(outer, initial, step) : repeated(outer, features, initial, step);
  outer.output("loss", scanned[0]);
  if (scanned[1] !== undefined) outer.output("correct_count", scanned[1]);
  for (const [index, { name }] of state.entries()) outer.output(`next.${name}`, carried[index]);
  return {
    graph: pruned(outer.graph()),
    state,
    frozen,
    moving,
    scalarNames,
    results: resultsOf(network, moving, moves),
  };
}

type StepOf = (body: GraphBuilder, iteration: Value, before: readonly Value[]) => LoopResult;

function repeated(graph: GraphBuilder, features: Value, initial: readonly Value[], step: StepOf): LoopResult {
  const stepCount = graph.gather(graph.shapeOf(features), graph.scalar(0, "INT64"));
  return graph.loop(stepCount, "steps", initial, step);
}

function once(graph: GraphBuilder, initial: readonly Value[], step: StepOf): LoopResult {
  const { carried, scanned } = step(graph, graph.scalar(0, "INT64"), initial);
  return { carried, scanned: scanned.map((value) => graph.unsqueeze(value, [0])) };
}

function resultsOf({ parameters, statistics }: Network, moving: readonly Move[], { averageDecay }: Moves) {
  const isAveraged = (name: string) =>
    averageDecay !== undefined && moving.some(({ parameter }) => parameter.name === name);
  return new Map([...parameters, ...statistics].map(({ name }) => [name, isAveraged(name) ? averageName(name) : name]));
}

/** The moving average of a parameter among the tensors of the state. */
function averageName(parameter: string): string {
  return `${parameter}.average`;
}

/**
 * The loss of rows that are not learned from: `features` [rows, ...], `targets`, the parameters and the statistics in; `loss` FP32 []
 * and `scores` FP32 [rows, ...], which it is taken of, out. `rows` are free unless their number is given.
 */
export function evaluationGraph(network: Network, loss: Loss, [rows]: readonly Dimension[] = ["rows"]): Graph {
  const graph = new GraphBuilder("evaluation");
  const { dataType, rowShape } = targetForm(loss, network);
  const features = graph.input("features", network.input.dataType, [rows, ...network.input.rowShape]);
  const targets = graph.input("targets", dataType, [rows, ...rowShape]);
  const tensors = [...network.parameters, ...network.statistics].map(
    ({ name, shape }) => [name, graph.input(name, "FP32", shape)] as const,
  );
  const { output } = network.append(graph, features, new Map(tensors), { kind: "inference" });
  const { mean, scores } = lossValues(graph, loss, output, targets);
  graph.output("loss", mean);
  graph.output("scores", scores);
  return pruned(graph.graph());
}

function stateTensors(network: Network, moving: readonly Move[], { averageDecay }: Moves): StateTensor[] {
  const parameters = moving.map(({ parameter: { name, shape } }) => ({ name, shape, startsAs: name }));
  const own = moving.flatMap(({ parameter: { name, shape }, optimizer }) =>
    stateNames(optimizer).map((state) => ({ name: `${name}.${state}`, shape })),
  );
  const averages = parameters.map((parameter) => ({ ...parameter, name: averageName(parameter.name) }));
  const statistics = network.statistics.map(({ name, shape }) => ({ name, shape, startsAs: name }));
  return [...parameters, ...own, ...(averageDecay === undefined ? [] : averages), ...statistics];
}

/** A parameter and its optimizer's tensors after a step, by name. */
function moved(
  graph: GraphBuilder,
  { parameter: { name }, optimizer, group }: Move,
  gradient: Value,
  held: ReadonlyMap<string, Value>,
  numbers: ReadonlyMap<string, Value>,
): readonly (readonly [string, Value])[] {
  const own = stateNames(optimizer).map((state) => `${name}.${state}`);
  const scalars = Object.fromEntries(
    Object.keys(stepScalars(optimizer, 1)).map((scalar) => [scalar, numbers.get(scalarName(scalar, group))!]),
  );
  const state = own.map((each) => held.get(each)!);
  const update = updateOf({ graph, optimizer, parameter: held.get(name)!, gradient, state, scalars });
  return [[name, update.parameter], ...own.map((each, index) => [each, update.state[index]] as const)];
}

function averageAll(
  graph: GraphBuilder,
  moving: readonly Move[],
  decay: number,
  held: ReadonlyMap<string, Value>,
  next: Map<string, Value>,
): void {
  for (const { parameter } of moving) {
    const name = averageName(parameter.name);
    next.set(name, averaged(graph, held.get(name)!, next.get(parameter.name)!, decay));
  }
}

function reported({ mean, correctCount }: Omit<LossValues, "scores">): Value[] {
  return correctCount === undefined ? [mean] : [mean, correctCount];
}
