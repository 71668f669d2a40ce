import type { ConfusionMatrix } from "./confusion-matrix.ts";

/** Measures what a network gives against the targets, batch by batch, in memory that does not grow with the rows. */
export interface MetricCounter {
  /** Counts rows: what was given for all of them, and their targets, both row-major in the form of the loss. They are only read. */
  add(outputs: Float32Array, targets: Float32Array | Int32Array): void;
  /** What the rows so far come to. */
  measured(): Measurement;
}

/** What rows come to. */
export interface Measurement {
  readonly values: MetricValues;
  /** Of classes, where there are not too many. */
  readonly confusion?: ConfusionMatrix | undefined;
}

/** All metrics, and whether more of it is better. */
export const metricNames = {
  accuracy: "more",
  top5_accuracy: "more",
  f1: "more",
  auc: "more",
  log_loss: "less",
  perplexity: "less",
  mae: "less",
  mse: "less",
  r2: "more",
} as const satisfies Record<string, "more" | "less">;
export type MetricName = keyof typeof metricNames;

/** Finite numbers, without those that are not defined for the rows. */
export type MetricValues = Readonly<Partial<Record<MetricName, number>>>;

/** Leaves out what is undefined or not finite. */
export function definedOf(values: Readonly<Partial<Record<MetricName, number | undefined>>>): MetricValues {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => Number.isFinite(value)));
}

/** What classes are told by: scores, whose softmax (or sigmoid) are probabilities, or these themselves. */
export type ClassForm = "scores" | "probabilities";
