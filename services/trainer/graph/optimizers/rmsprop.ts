import {
  averaged,
  checkNotNegative,
  checkPositive,
  checkShare,
  type Descent,
  decayed,
  type OptimizerKind,
  scaled,
} from "./optimizer-kind.ts";

/**
 * RMSProp (Tieleman & Hinton 2012, lecture 6.5): `g ← g + weightDecay·p; v ← αv + (1−α)g²; d ← g / (√v + ε)`; centered (Graves 2013)
 * `a ← αa + (1−α)g; d ← g / (√(v − a²) + ε)`; with momentum `m ← momentum·m + d` in the place of d; `p ← p − learningRate·d`.
 */
export interface RmsProp extends Descent {
  readonly kind: "rmsprop";
  /** α, in [0, 1); 0.99 by default. */
  readonly decay?: number | undefined;
  /** Above 0; 1e-8 by default. */
  readonly epsilon?: number | undefined;
  /** In [0, 1); 0 by default. */
  readonly momentum?: number | undefined;
  readonly centered?: boolean | undefined;
  /** At least 0, the default. */
  readonly weightDecay?: number | undefined;
}

export const rmsprop: OptimizerKind<RmsProp> = {
  check({ decay = 0.99, epsilon = 1e-8, momentum = 0, weightDecay = 0 }) {
    checkShare("decay", decay);
    checkPositive("epsilon", epsilon);
    checkShare("momentum", momentum);
    checkNotNegative("weight_decay", weightDecay);
  },
  stateNames: ({ momentum = 0, centered = false }) => [
    "square",
    ...(centered ? ["mean"] : []),
    ...(momentum === 0 ? [] : ["momentum"]),
  ],
  stepScalars: (_, __, rate) => ({ learning_rate: rate }),
  update(step) {
    const { graph, optimizer, parameter, state, scalars } = step;
    const { decay = 0.99, epsilon = 1e-8, momentum = 0, centered = false, weightDecay = 0 } = optimizer;
    const gradient = decayed(step, weightDecay);
    const square = averaged(graph, state[0], graph.mul(gradient, gradient), decay);
    const mean = centered ? averaged(graph, state[1], gradient, decay) : undefined;
    const variance = mean === undefined ? square : graph.sub(square, graph.mul(mean, mean));
    const root = graph.add(graph.sqrt(variance), graph.scalar(epsilon, variance.dataType));
    const direction = graph.div(gradient, root);
    const heavy = momentum === 0 ? undefined : graph.add(scaled(graph, state.at(-1)!, momentum), direction);
    const next = graph.sub(parameter, graph.mul(heavy ?? direction, scalars.learning_rate));
    return { parameter: next, state: [square, mean, heavy].filter((value) => value !== undefined) };
  },
};
