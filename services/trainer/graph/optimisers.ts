import type { GraphBuilder } from "../../../lib/onnx/builder.ts";
import type { Value } from "../../../lib/onnx/graph.ts";
import { specError } from "./spec-error.ts";

/** How a parameter moves against its gradient. Unset fields take the defaults of `torch.optim`. */
export type Optimiser =
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

/** A parameter after a step, and the optimiser's own tensors of the parameter's shape, in the order of `stateNames`. */
export interface Update {
  readonly parameter: Value;
  readonly state: readonly Value[];
}

/** Throws SPEC_INVALID for an unknown optimiser or a field out of its range. */
export function checkOptimiser(optimiser: Optimiser): void {
  if (!Object.hasOwn(optimiserKinds, optimiser.kind)) {
    throw specError("optimizer.kind", optimiser.kind, `one of ${Object.keys(optimiserKinds).join(", ")}`);
  }
  const { learningRate } = optimiser;
  if (!Number.isFinite(learningRate) || learningRate <= 0) {
    throw specError("optimizer.learning_rate", learningRate, "a finite number above 0");
  }
  kindOf(optimiser).check(optimiser);
}

/** Names of the tensors that the optimiser keeps for each parameter; all start as zeros. */
export function stateNames(optimiser: Optimiser): readonly string[] {
  return kindOf(optimiser).stateNames(optimiser);
}

/**
 * The numbers that change from step to step, by name; `step` counts from 1. They are worked out here in double
 * precision and fed to the graph, so that it needs no power of a step count in single precision.
 */
export function stepScalars(optimiser: Optimiser, step: number): Readonly<Record<string, number>> {
  return kindOf(optimiser).stepScalars(optimiser, step);
}

/** Appends one update; `scalars` holds a scalar value for each name of {@link stepScalars}. */
export function updateOf(
  graph: GraphBuilder,
  optimiser: Optimiser,
  parameter: Value,
  gradient: Value,
  state: readonly Value[],
  scalars: Readonly<Record<string, Value>>,
): Update {
  return kindOf(optimiser).update({ graph, optimiser, parameter, gradient, state, scalars });
}

interface Step<O extends Optimiser> {
  readonly graph: GraphBuilder;
  readonly optimiser: O;
  readonly parameter: Value;
  readonly gradient: Value;
  readonly state: readonly Value[];
  readonly scalars: Readonly<Record<string, Value>>;
}

interface OptimiserKind<O extends Optimiser> {
  check(optimiser: O): void;
  stateNames(optimiser: O): readonly string[];
  stepScalars(optimiser: O, step: number): Readonly<Record<string, number>>;
  update(step: Step<O>): Update;
}

const optimiserKinds = {
  sgd: {
    check: ({ momentum = 0 }) => checkShare("momentum", momentum),
    stateNames: ({ momentum = 0 }) => (momentum === 0 ? [] : ["momentum"]),
    stepScalars: ({ learningRate }) => ({ learning_rate: learningRate }),
    update({ graph, optimiser: { momentum = 0 }, parameter, gradient, state: [before], scalars }) {
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
    update({ graph, optimiser, parameter, gradient, state: [mean, square], scalars }) {
      const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = optimiser;
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
} as const satisfies { [K in Optimiser["kind"]]: OptimiserKind<Extract<Optimiser, { kind: K }>> };

/** The table's entry, its optimiser type widened: the caller hands it the optimiser it was looked up with. */
function kindOf(optimiser: Optimiser): OptimiserKind<Optimiser> {
  return optimiserKinds[optimiser.kind] as OptimiserKind<Optimiser>;
}

function checkShare(field: string, value: number): void {
  if (!Number.isFinite(value) || value < 0 || value >= 1)
    throw specError(`optimizer.${field}`, value, "a number in [0, 1)");
}
