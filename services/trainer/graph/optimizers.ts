import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import { specError } from "./spec-error.ts";

/** How a parameter moves against its gradient. Unset fields take the defaults of `torch.optim`. */
export type Optimizer =
  /**
   * Stochastic gradient descent with heavy-ball momentum (Polyak 1964): `m ← momentum·m + g; p ← p − learningRate·m`.
   * `momentum` is in [0, 1), 0 by default.
   */
  | { readonly kind: "sgd"; readonly learningRate: number; readonly momentum?: number }
  /**
   * Adam (Kingma & Ba 2015, algorithm 1): `m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²;
   * p ← p − learningRate/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)`. Defaults: `beta1` 0.9, `beta2` 0.999, `epsilon` 1e-8.
   */
  | {
      readonly kind: "adam";
      readonly learningRate: number;
      readonly beta1?: number;
      readonly beta2?: number;
      readonly epsilon?: number;
    };

/** A parameter after a step, and the optimizer's own tensors of the parameter's shape, in the order of `stateNames`. */
export interface Update {
  readonly parameter: Value;
  readonly state: readonly Value[];
}

/** Throws SPEC_INVALID for an unknown optimizer or a field out of its range. */
export function checkOptimizer(optimizer: Optimizer): void {
  if (!Object.hasOwn(optimizerKinds, optimizer.kind)) {
    throw specError("optimizer.kind", optimizer.kind, `one of ${Object.keys(optimizerKinds).join(", ")}`);
  }
  const { learningRate } = optimizer;
  if (!Number.isFinite(learningRate) || learningRate <= 0) {
    throw specError("optimizer.learning_rate", learningRate, "a finite number above 0");
  }
  kindOf(optimizer).check(optimizer);
}

/** Names of the tensors that the optimizer keeps for each parameter; all start as zeros. */
export function stateNames(optimizer: Optimizer): readonly string[] {
  return kindOf(optimizer).stateNames(optimizer);
}

/**
 * The numbers that change from step to step, by name; `step` counts from 1. They are worked out here in double
 * precision and fed to the graph, so that it needs no power of a step count in single precision.
 */
export function stepScalars(optimizer: Optimizer, step: number): Readonly<Record<string, number>> {
  return kindOf(optimizer).stepScalars(optimizer, step);
}

/** Appends one update; `scalars` holds a scalar value for each name of {@link stepScalars}. */
export function updateOf(
  graph: GraphBuilder,
  optimizer: Optimizer,
  parameter: Value,
  gradient: Value,
  state: readonly Value[],
  scalars: Readonly<Record<string, Value>>,
): Update {
  return kindOf(optimizer).update({ graph, optimizer, parameter, gradient, state, scalars });
}

interface Step<O extends Optimizer> {
  readonly graph: GraphBuilder;
  readonly optimizer: O;
  readonly parameter: Value;
  readonly gradient: Value;
  readonly state: readonly Value[];
  readonly scalars: Readonly<Record<string, Value>>;
}

interface OptimizerKind<O extends Optimizer> {
  check(optimizer: O): void;
  stateNames(optimizer: O): readonly string[];
  stepScalars(optimizer: O, step: number): Readonly<Record<string, number>>;
  update(step: Step<O>): Update;
}

const optimizerKinds = {
  sgd: {
    check: ({ momentum = 0 }) => checkShare("momentum", momentum),
    stateNames: ({ momentum = 0 }) => (momentum === 0 ? [] : ["momentum"]),
    stepScalars: ({ learningRate }) => ({ learning_rate: learningRate }),
    update({ graph, optimizer: { momentum = 0 }, parameter, gradient, state: [before], scalars }) {
      const moved = (by: Value) => graph.sub(parameter, graph.mul(by, scalars.learning_rate));
      if (momentum === 0) return { parameter: moved(gradient), state: [] };
      const after = graph.add(graph.mul(before, graph.scalar(momentum, before.dataType)), gradient);
      return { parameter: moved(after), state: [after] };
    },
  },
  adam: {
    check({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }) {
      checkShare("beta1", beta1);
      checkShare("beta2", beta2);
      if (!Number.isFinite(epsilon) || epsilon <= 0)
        throw specError("optimizer.epsilon", epsilon, "a finite number above 0");
    },
    stateNames: () => ["mean", "square"],
    stepScalars: ({ learningRate, beta1 = 0.9, beta2 = 0.999 }, step) => ({
      step_size: learningRate / (1 - beta1 ** step),
      root_correction: Math.sqrt(1 - beta2 ** step),
    }),
    update({ graph, optimizer, parameter, gradient, state: [mean, square], scalars }) {
      const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = optimizer;
      const averaged = (before: Value, now: Value, beta: number) =>
        graph.add(
          graph.mul(before, graph.scalar(beta, before.dataType)),
          graph.mul(now, graph.scalar(1 - beta, before.dataType)),
        );
      const nextMean = averaged(mean, gradient, beta1);
      const nextSquare = averaged(square, graph.mul(gradient, gradient), beta2);
      const root = graph.div(graph.sqrt(nextSquare), scalars.root_correction);
      const direction = graph.div(nextMean, graph.add(root, graph.scalar(epsilon, root.dataType)));
      const next = graph.sub(parameter, graph.mul(direction, scalars.step_size));
      return { parameter: next, state: [nextMean, nextSquare] };
    },
  },
} as const satisfies { [K in Optimizer["kind"]]: OptimizerKind<Extract<Optimizer, { kind: K }>> };

/** The table's entry, its optimizer type widened: the caller hands it the optimizer it was looked up with. */
function kindOf(optimizer: Optimizer): OptimizerKind<Optimizer> {
  return optimizerKinds[optimizer.kind] as OptimizerKind<Optimizer>;
}

function checkShare(field: string, value: number): void {
  if (!Number.isFinite(value) || value < 0 || value >= 1)
    throw specError(`optimizer.${field}`, value, "a number in [0, 1)");
}
