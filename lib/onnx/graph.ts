import type { DataType } from "../tensor.ts";

/** A size known when the graph is built, or the name of one that is known only when it runs. */
export type Dimension = number | string;

export type Shape = readonly Dimension[];

/** The elements of a constant tensor, row-major, in the array type of their data type. */
export type Elements =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

/**
 * A tensor that flows through a graph: a graph input, an initializer (then `elements` is set) or what a node gives
 * (then `producer` is set). Values are compared by identity; `name` is unique in a graph and all its subgraphs.
 */
export interface Value {
  readonly name: string;
  readonly dataType: DataType;
  readonly shape: Shape;
  readonly elements?: Elements;
  /** For an INT64 scalar or vector that holds sizes: its elements, as far as they are known or have a name. */
  readonly sizes?: Shape;
  readonly producer?: Node;
}

/**
 * One application of an operator of the standard ONNX set. `inputs` and `outputs` are in the operator's order; the place of an optional
 * input that is left out, but not the last one, holds undefined.
 */
export interface Node {
  readonly name: string;
  readonly operator: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
}

/** An attribute keeps its ONNX kind: 1 as `int` and 1 as `float` are different attributes. */
export type Attribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  /** A data type, written as ONNX's number for it. */
  | { readonly kind: "type"; readonly value: DataType }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "graph"; readonly value: Graph };

export type Attributes = Readonly<Record<string, Attribute>>;

/** Nodes stand in an order in which they can run. A subgraph may use values of the graphs around it. */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly initializers: readonly Value[];
  readonly nodes: readonly Node[];
}
