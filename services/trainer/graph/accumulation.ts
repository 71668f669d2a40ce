import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import type { LossValues } from "./losses/loss-kind.ts";

/** Rows to learn from: `features` [...leading, ...] and `targets` [...leading, ...]. */
export interface Rows {
  readonly features: Value;
  readonly targets: Value;
}

/** What rows teach. */
export interface Lesson {
  readonly measured: Omit<LossValues, "scores">;
  /** Of each parameter that moves. */
  readonly slopes: readonly Value[];
  /** The network's statistics afterwards, by name. */
  readonly statistics: ReadonlyMap<string, Value>;
}

/** Appends what rows [rows, ...] teach; `statistics` are those before, `step` an INT64 scalar that is another one each time. */
export type Learn = (graph: GraphBuilder, rows: Rows, statistics: ReadonlyMap<string, Value>, step: Value) => Lesson;

/**
 * Appends what a batch teaches that is taken in equal parts, one after the other: `rows` are [parts, rows, ...]. Gradients and losses are
 * averaged over the parts, statistics go from part to part, and dropout drops otherwise in each. What is kept for the gradients is that
 * of one part only.
 */
export function learnedInParts(
  graph: GraphBuilder,
  { features, targets }: Rows,
  statistics: ReadonlyMap<string, Value>,
  step: Value,
  parameters: readonly Value[],
  learn: Learn,
): Lesson {
  const names = [...statistics.keys()];
  const partCount = graph.gather(graph.shapeOf(features), graph.scalar(0, "INT64"));
  const partsBefore = graph.mul(step, partCount);
  const initial = [...statistics.values(), ...parameters.map((parameter) => graph.zeros(parameter))];
  const { carried, scanned } = graph.loop(partCount, "parts", initial, (body, part, before) => {
    const rows = { features: body.gather(features, part), targets: body.gather(targets, part) };
    const held = new Map(names.map((name, index) => [name, before[index]]));
    const { measured, slopes, ...lesson } = learn(body, rows, held, body.add(partsBefore, part));
    const sums = slopes.map((slope, index) => body.add(before[names.length + index], slope));
    const { mean, correctCount } = measured;
    return {
      carried: [...names.map((name) => lesson.statistics.get(name)!), ...sums],
      scanned: correctCount === undefined ? [mean] : [mean, correctCount],
    };
  });
  const [means, correctCounts] = scanned;
  const share = graph.node("Reciprocal", [graph.cast(partCount, "FP32")]);
  return {
    measured: {
      mean: graph.reduceMean(means),
      ...(correctCounts !== undefined && { correctCount: graph.reduceSum(correctCounts) }),
    },
    slopes: carried.slice(names.length).map((sum) => graph.mul(sum, share)),
    statistics: new Map(names.map((name, index) => [name, carried[index]])),
  };
}
