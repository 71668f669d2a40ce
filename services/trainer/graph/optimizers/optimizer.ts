import { specError } from "../spec-error.ts";
import { type Adagrad, adagrad } from "./adagrad.ts";
import { type Adam, type AdamW, adam, adamw } from "./adam.ts";
import type { Descent, OptimizerKind, Step, Update } from "./optimizer-kind.ts";
import { type RmsProp, rmsprop } from "./rmsprop.ts";
import { type Sgd, sgd } from "./sgd.ts";

/** How a parameter moves against its gradient. Unset fields take the defaults of `torch.optim`. */
export type Optimizer = Sgd | Adam | AdamW | RmsProp | Adagrad;

const kinds = { sgd, adam, adamw, rmsprop, adagrad } as const satisfies {
  [K in Optimizer["kind"]]: OptimizerKind<Extract<Optimizer, { kind: K }>>;
};

/** Throws SPEC_INVALID for an unknown optimizer or a field out of its range. */
export function checkOptimizer(optimizer: Optimizer): void {
  if (!Object.hasOwn(kinds, optimizer.kind)) {
    throw specError("optimizer.kind", optimizer.kind, `one of ${Object.keys(kinds).join(", ")}`);
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
 * The numbers that change from step to step, by name; `step` counts from 1, and `rate` is its learning rate, the optimizer's own by
 * default. They are worked out here in double precision and fed to the graph, so that it needs no power of a step count in single
 * precision.
 */
export function stepScalars(
  optimizer: Optimizer,
  step: number,
  rate = optimizer.learningRate,
): Readonly<Record<string, number>> {
  return kindOf(optimizer).stepScalars(optimizer, step, rate);
}

/** Appends one update; `scalars` has a scalar value for each name of {@link stepScalars}. */
export function updateOf(step: Step<Optimizer>): Update {
  return kindOf(step.optimizer).update(step);
}

/** The table's entry, its optimizer type widened: the caller hands it the optimizer it was looked up with. */
function kindOf({ kind }: Optimizer): OptimizerKind<Descent> {
  return kinds[kind] as unknown as OptimizerKind<Descent>;
}
