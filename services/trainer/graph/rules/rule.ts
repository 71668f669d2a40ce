import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Attributes, Value } from "../../../../lib/onnx/graph.ts";

/** A node of whose outputs a gradient is known, and the graph that the gradients of its inputs are appended to. */
export interface Derivation {
  readonly graph: GraphBuilder;
  /** An optional input that is left out is undefined. */
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
  /** The first one. */
  readonly output: Value;
  /** Of the first output's shape; of an operator with several outputs it may be undefined. */
  readonly dy: Value;
  readonly outputs: readonly Value[];
  /** In the outputs' order; undefined where the loss does not depend on one. */
  readonly dys: readonly (Value | undefined)[];
}

/**
 * The gradients of a node's inputs, in the inputs' order: each appends its nodes when it is called, which happens only
 * where it is needed. An input without an entry (axes, sizes, conditions) passes no gradient on. A gradient has the
 * shape that its input has after broadcasting; the walk sums it back.
 */
export type GradientRule = (derivation: Derivation) => readonly ((() => Value) | undefined)[];

/** Of every operator of a table how its gradient is made, or `undefined` where there is none. */
export type Rules<Operators> = Readonly<Record<keyof Operators, GradientRule | undefined>>;
