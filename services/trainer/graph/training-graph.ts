import { GraphBuilder, type LoopResult } from "../../../lib/onnx/builder.ts";
import type { Dimension, Graph, Value } from "../../../lib/onnx/graph.ts";
import { pruned } from "../../../lib/onnx/pruned.ts";
import { Random } from "../../../lib/random.ts";
import { type Learn, learnedInParts } from "./accumulation.ts";
import { gradients } from "./gradients.ts";
import { type Loss, lossValues, targetForm } from "./losses/loss.ts";
import type { LossValues } from "./losses/loss-kind.ts";
import { clipped, type Moves } from "./moves.ts";
import type { Network } from "./network.ts";
import { withSharedAreas } from "./shared-areas.ts";
import { movedTensors, type TrainingTensors, trainingTensors } from "./training-tensors.ts";

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
export interface TrainingGraph extends TrainingTensors {
  readonly graph: Graph;
}

/**
 * `seed` is that of the run: it decides what dropout drops. With `sizes`, those of [steps, rows] or [steps, parts, rows], nothing is free, one
 * step is taken without a Loop around it, and there are no operators that only the CPU has.
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
  const training = trainingTensors(network, moves);
  const { state, frozen, scalarNames, moving } = training;
  const scalars = scalarNames.map((name) => outer.input(name, "FP32", leading.slice(0, 1)));
  const still = new Map(frozen.map(({ name, shape }) => [name, outer.input(name, "FP32", shape)]));
  const initial = state.map(({ name, shape }) => outer.input(name, "FP32", shape));
  const step = (body: GraphBuilder, iteration: Value, before: readonly Value[]): LoopResult => {
    const at = (values: Value) => body.gather(values, iteration);
    const held = new Map(state.map(({ name }, index) => [name, before[index]]));
    const tensors = new Map([...still, ...held]);
    const parameters = moving.map(({ parameter }) => held.get(parameter.name)!);
    const learn: Learn = (graph, rows, changed, step) => {
      const mode = { kind: "training", seed: dropoutSeed, step, isComposed: sizes !== undefined } as const;
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
    const next = movedTensors(body, moving, moves, bounded, held, numbers);
    for (const [name, value] of statistics) next.set(name, value);
    return { carried: state.map(({ name }) => next.get(name)!), scanned: reported(measured) };
  };
  const { carried, scanned } = leading[0] === 1 ? once(outer, initial, step) : repeated(outer, features, initial, step);
  outer.output("loss", scanned[0]);
  if (scanned[1] !== undefined) outer.output("correct_count", scanned[1]);
  for (const [index, { name }] of state.entries()) outer.output(`next.${name}`, carried[index]);
  return { ...training, graph: pruned(withSharedAreas(outer.graph())) };
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

function reported({ mean, correctCount }: Omit<LossValues, "scores">): Value[] {
  return correctCount === undefined ? [mean] : [mean, correctCount];
}
