import type { Value } from "../../../../lib/onnx/graph.ts";
import {
  averaged,
  checkNotNegative,
  checkPositive,
  checkShare,
  type Descent,
  decayed,
  type OptimizerKind,
  type Step,
  type Update,
} from "./optimizer-kind.ts";

interface Moments extends Descent {
  /** In [0, 1); 0.9 by default. */
  readonly beta1?: number | undefined;
  /** In [0, 1); 0.999 by default. */
  readonly beta2?: number | undefined;
  /** Above 0; 1e-8 by default. */
  readonly epsilon?: number | undefined;
}

/**
 * Adam (Kingma & Ba 2015, algorithm 1): `g ← g + weightDecay·p; m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²;
 * p ← p − learningRate/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)`.
 */
export interface Adam extends Moments {
  readonly kind: "adam";
  /** At least 0, the default. */
  readonly weightDecay?: number | undefined;
}

/** Adam whose decay does not pass through the moments (Loshchilov & Hutter 2019, algorithm 2): `p ← (1 − learningRate·weightDecay)·p`. */
export interface AdamW extends Moments {
  readonly kind: "adamw";
  /** At least 0; 0.01 by default. */
  readonly weightDecay?: number | undefined;
}

const common = {
  check({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: Moments): void {
    checkShare("beta1", beta1);
    checkShare("beta2", beta2);
    checkPositive("epsilon", epsilon);
  },
  stateNames: () => ["mean", "square"],
  stepScalars: ({ beta1 = 0.9, beta2 = 0.999 }: Moments, step: number, rate: number) => ({
    step_size: rate / (1 - beta1 ** step),
    root_correction: Math.sqrt(1 - beta2 ** step),
  }),
};

export const adam: OptimizerKind<Adam> = {
  ...common,
  check(optimizer) {
    common.check(optimizer);
    checkNotNegative("weight_decay", optimizer.weightDecay ?? 0);
  },
  update: (step) => moved(step, step.parameter, decayed(step, step.optimizer.weightDecay ?? 0)),
};

export const adamw: OptimizerKind<AdamW> = {
  ...common,
  check(optimizer) {
    common.check(optimizer);
    checkNotNegative("weight_decay", optimizer.weightDecay ?? 0.01);
  },
  stepScalars: (optimizer, step, rate) => ({
    ...common.stepScalars(optimizer, step, rate),
    kept: 1 - rate * (optimizer.weightDecay ?? 0.01),
  }),
  update: (step) => moved(step, step.graph.mul(step.parameter, step.scalars.kept), step.gradient),
};

function moved(
  { graph, optimizer, state: [mean, square], scalars }: Step<Moments>,
  from: Value,
  gradient: Value,
): Update {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = optimizer;
  const nextMean = averaged(graph, mean, gradient, beta1);
  const nextSquare = averaged(graph, square, graph.mul(gradient, gradient), beta2);
  const root = graph.div(graph.sqrt(nextSquare), scalars.root_correction);
  const direction = graph.div(nextMean, graph.add(root, graph.scalar(epsilon, root.dataType)));
  return { parameter: graph.sub(from, graph.mul(direction, scalars.step_size)), state: [nextMean, nextSquare] };
}
