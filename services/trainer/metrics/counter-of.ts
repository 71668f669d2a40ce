import { product } from "../../../lib/onnx/shapes.ts";
import type { Loss } from "../graph/losses/loss.ts";
import { ClassMetrics } from "./class-metrics.ts";
import { LabelMetrics } from "./label-metrics.ts";
import type { ClassForm, MetricCounter, MetricName } from "./metric-counter.ts";
import { NumberMetrics } from "./number-metrics.ts";
import { ShareMetrics } from "./share-metrics.ts";
import { TokenMetrics } from "./token-metrics.ts";

/** What there may be of each kind of loss; not all of it is defined for all rows. */
const names = {
  classes: ["accuracy", "top5_accuracy", "f1", "auc", "log_loss"],
  labels: ["accuracy", "f1", "auc", "log_loss"],
  tokens: ["accuracy", "top5_accuracy", "perplexity"],
  numbers: ["mae", "mse", "r2"],
} as const satisfies Record<string, readonly MetricName[]>;

const targets = {
  mse: "numbers",
  mae: "numbers",
  huber: "numbers",
  cross_entropy: "classes",
  binary_cross_entropy: "labels",
  kl_divergence: "numbers",
  next_token: "tokens",
} as const satisfies Record<Loss["kind"], keyof typeof names>;

/** The metrics of a loss. */
export function measuredBy({ kind }: Loss): readonly string[] {
  return names[targets[kind]];
}

type CounterOf<L> = (loss: L, outputShape: readonly number[], form: ClassForm) => MetricCounter;

const numbers: CounterOf<unknown> = (_, outputShape) => new NumberMetrics(product(outputShape));

const counters = {
  mse: numbers,
  mae: numbers,
  huber: numbers,
  cross_entropy: ({ ignoreIndex }, outputShape, form) =>
    new ClassMetrics({ classCount: outputShape.at(-1)!, form, ignoreIndex }),
  binary_cross_entropy: (_, outputShape, form) => new LabelMetrics({ labelCount: product(outputShape), form }),
  kl_divergence: (_, outputShape, form) => new ShareMetrics(product(outputShape), outputShape.at(-1)!, form),
  next_token: (_, outputShape, form) => new TokenMetrics(outputShape.at(-1)!, form),
} as const satisfies { [K in Loss["kind"]]: CounterOf<Extract<Loss, { kind: K }>> };

/** What measures rows of such a loss; `outputShape` is that of a row, and `form` that of what is given, where it tells classes. */
export function counterOf(loss: Loss, outputShape: readonly number[], form: ClassForm): MetricCounter {
  return (counters[loss.kind] as CounterOf<Loss>)(loss, outputShape, form);
}
