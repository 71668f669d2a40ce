import { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Graph, Value } from "../../../lib/onnx/graph.ts";
import { pruned } from "../../../lib/onnx/pruned.ts";
import { Random } from "../../../lib/random.ts";
import { gradients } from "./gradients.ts";
import { type Loss, lossValues, targetForm } from "./losses/loss.ts";
import { clipped, type Move, type Moves, moveScalars } from "./moves.ts";
import type { Network } from "./network.ts";
import { withSharedAreas } from "./shared-areas.ts";
import { movedTensors, movingTensors } from "./training-tensors.ts";

/**
 * What some rows of a batch teach, of a step that several threads share.
 *
 * - in: `features` [rows, ...] and `targets` [rows, ...]; `share` FP32 [], the share of the batch that they are; `step` INT32 [], another
 *   number for each step and thread; each parameter.
 * - out: `loss` FP32 [], their mean times the share; with class targets `correct_count` FP32 []; `slope.<parameter>` for each that moves, times
 *   the share, so that the sum over all threads is the batch's.
 */
export function lessonGraph(network: Network, loss: Loss, moving: readonly Move[], seed: number): Graph {
  const graph = new GraphBuilder("lesson");
  const { dataType, rowShape } = targetForm(loss, network);
  const features = graph.input("features", network.input.dataType, ["rows", ...network.input.rowShape]);
  const targets = graph.input("targets", dataType, ["rows", ...rowShape]);
  const share = graph.input("share", "FP32", []);
  const step = graph.cast(graph.input("step", "INT32", []), "INT64");
  const tensors = new Map(network.parameters.map(({ name, shape }) => [name, graph.input(name, "FP32", shape)]));
  const mode = { kind: "training", seed: new Random(seed, "dropout").next(), step } as const;
  const { output } = network.append(graph, features, tensors, mode);
  const { mean, correctCount } = lossValues(graph, loss, output, targets);
  const part = graph.mul(mean, share);
  const parameters = moving.map(({ parameter }) => tensors.get(parameter.name)!);
  graph.output("loss", part);
  if (correctCount !== undefined) graph.output("correct_count", correctCount);
  for (const [index, slope] of gradients(graph, part, parameters).entries()) {
    graph.output(slopeName(moving[index]!.parameter), slope);
  }
  return pruned(withSharedAreas(graph.graph()));
}

/**
 * A step of some of the parameters by what all threads have learned.
 *
 * - in: `slope.<parameter>.<thread>` for each thread; `factor` FP32 [] where gradients are bounded by their length; the step's numbers FP32 []
 *   by name; each of their tensors.
 * - out: each of their tensors as `next.<name>`.
 */
export function moveGraph(moving: readonly Move[], moves: Moves, threadCount: number): Graph {
  const graph = new GraphBuilder("move");
  const tensors = movingTensors(moving, moves);
  const held = new Map(tensors.map(({ name, shape }) => [name, graph.input(name, "FP32", shape)]));
  const numbers = new Map(Object.keys(moveScalars(moving, 1, 1)).map((name) => [name, graph.input(name, "FP32", [])]));
  const slopes = batchSlopes(graph, moving, moves, threadCount);
  const factor = moves.clip?.norm === undefined ? undefined : graph.input("factor", "FP32", []);
  const bounded = factor === undefined ? slopes : slopes.map((slope) => graph.mul(slope, factor));
  const next = movedTensors(graph, moving, moves, bounded, held, numbers);
  for (const { name } of tensors) graph.output(`next.${name}`, next.get(name)!);
  return pruned(graph.graph());
}

/** The sum of the squares of what some of the parameters have learned: `slope.<parameter>.<thread>` in, `squares` FP32 [] out. */
export function squaresGraph(moving: readonly Move[], moves: Moves, threadCount: number): Graph {
  const graph = new GraphBuilder("squares");
  const squares = batchSlopes(graph, moving, moves, threadCount).map((slope) =>
    graph.reduceSum(graph.mul(slope, slope)),
  );
  graph.output(
    "squares",
    squares.reduce((sum, square) => graph.add(sum, square)),
  );
  return pruned(graph.graph());
}

/** The name of what a parameter has learned. */
export function slopeName({ name }: { readonly name: string }): string {
  return `slope.${name}`;
}

/** Of the whole batch, bounded by value. */
function batchSlopes(graph: GraphBuilder, moving: readonly Move[], { clip }: Moves, threadCount: number) {
  const sums = moving.map((move) => {
    const shape = move.parameter.shape;
    const input = (thread: number): Value => graph.input(`${slopeName(move.parameter)}.${thread}`, "FP32", shape);
    const slopes = Array.from({ length: threadCount }, (_, thread) => input(thread));
    return slopes.reduce((sum, slope) => graph.add(sum, slope));
  });
  return clipped(graph, sums, { value: clip?.value });
}
