import type { Value } from "../../../../lib/onnx/graph.ts";
import { specError } from "../spec-error.ts";
import { checkNotNegative, checkShare, type Descent, decayed, type OptimizerKind, scaled } from "./optimizer-kind.ts";

/**
 * Stochastic gradient descent with heavy-ball momentum (Polyak 1964): `g ← g + weightDecay·p; m ← momentum·m + g;
 * p ← p − learningRate·m`; with Nesterov's (1983, as Sutskever et al. 2013 write it) `p ← p − learningRate·(g + momentum·m)`.
 */
export interface Sgd extends Descent {
  readonly kind: "sgd";
  /** In [0, 1); 0 by default. */
  readonly momentum?: number | undefined;
  /** Needs a momentum above 0. */
  readonly nesterov?: boolean | undefined;
  /** At least 0, the default. */
  readonly weightDecay?: number | undefined;
}

export const sgd: OptimizerKind<Sgd> = {
  check({ momentum = 0, nesterov = false, weightDecay = 0 }) {
    checkShare("momentum", momentum);
    checkNotNegative("weight_decay", weightDecay);
    if (nesterov && momentum === 0) throw specError("optimizer.momentum", 0, "a number in (0, 1), for nesterov");
  },
  stateNames: ({ momentum = 0 }) => (momentum === 0 ? [] : ["momentum"]),
  stepScalars: (_, __, rate) => ({ learning_rate: rate }),
  update(step) {
    const { graph, optimizer, parameter, state, scalars } = step;
    const { momentum = 0, nesterov = false, weightDecay = 0 } = optimizer;
    const moved = (by: Value) => graph.sub(parameter, graph.mul(by, scalars.learning_rate));
    const gradient = decayed(step, weightDecay);
    if (momentum === 0) return { parameter: moved(gradient), state: [] };
    const after = graph.add(scaled(graph, state[0], momentum), gradient);
    const direction = nesterov ? graph.add(gradient, scaled(graph, after, momentum)) : after;
    return { parameter: moved(direction), state: [after] };
  },
};
