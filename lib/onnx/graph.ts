import type { DataType } from "../tensor.ts";
import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  SparseTensorProto,
  TensorProto,
  TypeProto,
} from "./model.ts";

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
 * (then `producer` is set). Values are compared by identity; `name` is unique in a graph that a builder makes and all its subgraphs.
 *
 * In a graph that was read it may also be something else than a tensor, or of a type that nothing tells: see `unknown`. An output that its
 * node leaves out has the name "".
 */
export interface Value {
  readonly name: string;
  readonly dataType: DataType | "UNKNOWN";
  readonly shape: Shape;
  readonly elements?: Elements | undefined;
  /** For an INT64 scalar or vector that holds sizes: its elements, as far as they are known or have a name. */
  readonly sizes?: Shape | undefined;
  readonly producer?: Node | undefined;
  /** Why the data type is UNKNOWN, or the shape {@link anyShape}; undefined where both are known. */
  readonly unknown?: string | undefined;
  /** The type as the file has it, where it is not that of a tensor of known data type. */
  readonly type?: TypeProto | undefined;
  /** How the file keeps the elements. */
  readonly stored?: { readonly tensor: TensorProto } | { readonly sparse: SparseTensorProto } | undefined;
}

/** The shape of a value whose number of dimensions is not known. Nothing works with it: ask for `unknown` first. */
export const anyShape: Shape = ["..."];

/**
 * One application of an operator. `inputs` and `outputs` are in the operator's order; the place of an optional
 * input that is left out, but not the last one, holds undefined.
 */
export interface Node {
  readonly name: string;
  readonly operator: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
  /** Whose operator it is, with the version of the set that gives it its meaning; ONNX's own where it is left out. */
  readonly set?: OperatorSet | undefined;
  /** Why our tables cannot type it, though its operator is in them: its outputs are then what its file says. */
  readonly doubt?: string | undefined;
  /** What it was read from, for what only a file has: doc string, metadata, devices. */
  readonly source?: NodeProto | undefined;
}

/** An operator set; ONNX's own has the domain "". */
export interface OperatorSet {
  readonly domain: string;
  readonly version: number;
}

/**
 * An attribute keeps its ONNX kind: 1 as `int` and 1 as `float` are different attributes. A data type is an `int`, ONNX's number for it.
 */
export type Attribute = (
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "tensor"; readonly value: Value }
  | { readonly kind: "graph"; readonly value: Graph }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "graphs"; readonly value: readonly Graph[] }
  /** Of a kind that no operator of ours has. */
  | { readonly kind: "other"; readonly value?: undefined }
) & {
  /** What it was read from. Integers beyond 2^53 and texts that are not UTF-8 are exact only there. */
  readonly source?: AttributeProto;
};

export type Attributes = Readonly<Record<string, Attribute>>;

/** Nodes stand in an order in which they can run. A subgraph may use values of the graphs around it. */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly initializers: readonly Value[];
  readonly nodes: readonly Node[];
  /** What it was read from, for what only a file has: doc string, metadata, annotations, types of inner values. */
  readonly source?: GraphProto | undefined;
}

/** A model that was read. */
export interface ReadModel {
  readonly graph: Graph;
  /** Operator sets by domain, and their versions; ONNX's own has the domain "". */
  readonly opsets: ReadonlyMap<string, number>;
  readonly functions: readonly FunctionProto[];
  readonly source: ModelProto;
}
