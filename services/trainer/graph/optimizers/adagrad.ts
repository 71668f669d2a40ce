import { checkNotNegative, checkPositive, type Descent, decayed, type OptimizerKind } from "./optimizer-kind.ts";

/**
 * Adagrad (Duchi, Hazan & Singer 2011): `g ← g + weightDecay·p; s ← s + g²;
 * p ← p − learningRate/(1 + (t−1)·rateDecay) · g / (√s + ε)`.
 */
export interface Adagrad extends Descent {
  readonly kind: "adagrad";
  /** At least 0, the default. */
  readonly rateDecay?: number | undefined;
  /** Above 0; 1e-10 by default. */
  readonly epsilon?: number | undefined;
  /** At least 0, the default. */
  readonly weightDecay?: number | undefined;
}

export const adagrad: OptimizerKind<Adagrad> = {
  check({ rateDecay = 0, epsilon = 1e-10, weightDecay = 0 }) {
    checkNotNegative("rate_decay", rateDecay);
    checkPositive("epsilon", epsilon);
    checkNotNegative("weight_decay", weightDecay);
  },
  stateNames: () => ["sum"],
  stepScalars: ({ rateDecay = 0 }, step, rate) => ({ learning_rate: rate / (1 + (step - 1) * rateDecay) }),
  update(step) {
    const { graph, optimizer, parameter, state, scalars } = step;
    const { epsilon = 1e-10, weightDecay = 0 } = optimizer;
    const gradient = decayed(step, weightDecay);
    const sum = graph.add(state[0], graph.mul(gradient, gradient));
    const root = graph.add(graph.sqrt(sum), graph.scalar(epsilon, sum.dataType));
    return {
      parameter: graph.sub(parameter, graph.mul(graph.div(gradient, root), scalars.learning_rate)),
      state: [sum],
    };
  },
};
