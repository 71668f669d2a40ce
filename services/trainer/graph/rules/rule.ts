import type { ServiceError } from "../../../../lib/errors.ts";
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
  /** The error for an attribute of the node whose gradient is not supported. */
  readonly refusal: (attribute: string, seen: string | number, needed: string) => ServiceError;
}

/**
 * The gradients of a node's inputs, in the inputs' order: each appends its nodes when it is called, which happens only
 * where it is needed. An input without an entry (axes, sizes, conditions) passes no gradient on. A gradient has the
 * shape that its input has after broadcasting; the walk sums it back.
 */
export type GradientRule = (derivation: Derivation) => readonly ((() => Value) | undefined)[];

/** Of every operator of a table how its gradient is made, or `undefined` where there is none. */
export type Rules<Operators> = Readonly<Record<keyof Operators, GradientRule | undefined>>;

/** A scalar of a value's data type. */
export function like(graph: GraphBuilder, number: number, { dataType }: Value): Value {
  return graph.scalar(number, dataType);
}

/** What is made at the first call, for gradients that share it. */
export function once<Made>(make: () => Made): () => Made {
  let made: { readonly value: Made } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
