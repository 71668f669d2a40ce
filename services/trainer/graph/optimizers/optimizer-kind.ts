import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import { specError } from "../spec-error.ts";

/** What every optimizer has. */
export interface Descent {
  /** Finite, above 0; what a schedule makes less of. */
  readonly learningRate: number;
}

/** A parameter after a step, and the optimizer's own tensors of the parameter's shape, in the order of `stateNames`. */
export interface Update {
  readonly parameter: Value;
  readonly state: readonly Value[];
}

/** One parameter, in the middle of a step. */
export interface Step<O extends Descent> {
  readonly graph: GraphBuilder;
  readonly optimizer: O;
  readonly parameter: Value;
  readonly gradient: Value;
  readonly state: readonly Value[];
  /** By the names of `stepScalars`. */
  readonly scalars: Readonly<Record<string, Value>>;
}

/** One kind of optimizer. */
export interface OptimizerKind<O extends Descent> {
  /** Throws SPEC_INVALID for a field out of its range. */
  check(optimizer: O): void;
  /** Names of the tensors that are kept for each parameter; all start as zeros. */
  stateNames(optimizer: O): readonly string[];
  /** The numbers that change from step to step, by name; `step` counts from 1, `rate` is the learning rate of the step. */
  stepScalars(optimizer: O, step: number, rate: number): Readonly<Record<string, number>>;
  update(step: Step<O>): Update;
}

/** `share·before + (1 − share)·now`. */
export function averaged(graph: GraphBuilder, before: Value, now: Value, share: number): Value {
  return graph.add(scaled(graph, before, share), scaled(graph, now, 1 - share));
}

export function scaled(graph: GraphBuilder, value: Value, factor: number): Value {
  return graph.mul(value, graph.scalar(factor, value.dataType));
}

/** The gradient of the loss and of half the weights' squared length times the decay: `g + decay·p`. */
export function decayed({ graph, gradient, parameter }: Step<Descent>, decay: number): Value {
  return decay === 0 ? gradient : graph.add(gradient, scaled(graph, parameter, decay));
}

export function checkShare(field: string, value: number): void {
  if (!Number.isFinite(value) || value < 0 || value >= 1)
    throw specError(`optimizer.${field}`, value, "a number in [0, 1)");
}

export function checkPositive(field: string, value: number): void {
  if (!Number.isFinite(value) || value <= 0) throw specError(`optimizer.${field}`, value, "a finite number above 0");
}

export function checkNotNegative(field: string, value: number): void {
  if (!Number.isFinite(value) || value < 0)
    throw specError(`optimizer.${field}`, value, "a finite number of at least 0");
}
