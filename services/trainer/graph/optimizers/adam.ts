import type { Value } from "../../../../lib/onnx/graph.ts";
import {
  checkNotNegative,
  checkPositive,
  checkShare,
  type Descent,
  decayed,
  type OptimizerKind,
  type Step,
  scaled,
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
  stateNames: () => ["sum", "square_sum"],
  stepScalars({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: Moments, step: number, rate: number) {
    const rootCorrection = Math.sqrt((1 - beta2 ** step) / (1 - beta2));
    return {
      step_size: (rate * rootCorrection * (1 - beta1)) / (1 - beta1 ** step),
      epsilon: epsilon * rootCorrection,
    };
  },
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

/**
 * By the sums M = m/(1−β₁) and V = v/(1−β₂) in the place of the means, so that fewer passes over the elements are needed: `M ← β₁M + g;
 * V ← β₂V + g²; p ← p − stepSize · M / (√V + epsilon)`.
 */
function moved({ graph, optimizer, state, scalars }: Step<Moments>, from: Value, gradient: Value): Update {
  const { beta1 = 0.9, beta2 = 0.999 } = optimizer;
  const sum = graph.add(scaled(graph, state[0], beta1), gradient);
  const squareSum = graph.add(scaled(graph, state[1], beta2), graph.mul(gradient, gradient));
  const direction = graph.div(sum, graph.add(graph.sqrt(squareSum), scalars.epsilon));
  return { parameter: graph.sub(from, graph.mul(direction, scalars.step_size)), state: [sum, squareSum] };
}
