import { type MetricName, metricNames } from "../metrics/metric-counter.ts";
import type { Trial } from "./job.ts";

/** Whether the smaller of two values of a metric, such as "validation_loss" or "validation_f1", is the better one. */
export function isLessBetter(metric: string): boolean {
  const name = metric.replace(/^(validation|training)_/, "");
  return name === "loss" || metricNames[name as MetricName] === "less";
}

/** Orders two values, the better one first. */
export function compareScores(a: number, b: number, lessIsBetter: boolean): number {
  return lessIsBetter ? a - b : b - a;
}

/** All trials, the best first: those that came further before the others, and those that have failed last. */
export function leaderboardOf(trials: readonly Trial[], lessIsBetter: boolean): readonly Trial[] {
  const rank = ({ state, scores }: Trial) => (state === "failed" ? -1 : scores.length);
  return trials.toSorted(
    (a, b) => rank(b) - rank(a) || (rank(a) > 0 ? compareScores(a.scores.at(-1)!, b.scores.at(-1)!, lessIsBetter) : 0),
  );
}
