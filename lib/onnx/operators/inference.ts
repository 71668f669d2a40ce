import { assert } from "../../errors.ts";
import type { DataType } from "../../tensor.ts";
import { dataTypeOf, isFloat } from "../element-type.ts";
import type { Attributes, Shape, Value } from "../graph.ts";

/** What is known of a node's output before the graph runs. */
export interface ValueType {
  readonly dataType: Value["dataType"];
  readonly shape: Shape;
  /** For an INT64 scalar or vector that holds sizes: its elements, as far as they are known or have a name. */
  readonly sizes?: Shape;
}

/** What is known of an output, or why it is not, and the name that it should have. */
export type NamedType = ValueType & Pick<Value, "name" | "unknown" | "type">;

/** What is known of a value, for another one. */
export function namedType({ dataType, shape, unknown, type }: Value, name: string): NamedType {
  return { name, dataType, shape, unknown, type };
}

/**
 * The types of a node's outputs, all that the operator has, from the node's inputs and attributes; fails on inputs that the operator
 * cannot take. An optional input that is left out is undefined.
 */
export type Inference = (inputs: readonly Value[], attributes: Attributes) => readonly ValueType[];

/** The type of an operator with one output. */
export function one(infer: (inputs: readonly Value[], attributes: Attributes) => ValueType): Inference {
  return (inputs, attributes) => [infer(inputs, attributes)];
}

/** The one data type of an operator's operands; what is left out does not count. */
export function commonType(operands: readonly (Value | undefined)[]): Value["dataType"] {
  const types = operands.flatMap((operand) => (operand === undefined ? [] : [operand.dataType]));
  assert(
    types.every((type) => type === types[0]),
    `operands have one data type, not ${types}`,
  );
  return types[0];
}

/** Kinds of elements that an operator may be limited to. */
const elementKinds = {
  floats: isFloat,
  numbers: (dataType) => dataType !== "BOOL" && dataType !== "BYTES",
  integers: (dataType) => /INT/.test(dataType),
  "truth values": (dataType) => dataType === "BOOL",
} as const satisfies Record<string, (dataType: Value["dataType"]) => boolean>;

/** The inference of an operator whose first input is limited to a kind of elements. */
export function taking(kind: keyof typeof elementKinds, infer: Inference): Inference {
  return (inputs, attributes) => {
    const [{ dataType }] = inputs;
    assert(elementKinds[kind](dataType), `operands are ${kind}, not ${dataType}`);
    return infer(inputs, attributes);
  };
}

/** The elements of a scalar or vector that holds sizes; those that are known only at run time are named after it. */
export function sizesOf(value: Value): Shape {
  if (value.sizes !== undefined) return value.sizes;
  if (value.elements !== undefined) return Array.from(value.elements, Number);
  const [count = 1] = value.shape;
  assert(
    value.shape.length <= 1 && typeof count === "number",
    `${value.name} of [${value.shape}] is a vector of known length`,
  );
  return Array.from({ length: count }, (_, index) => `${value.name}[${index}]`);
}

/** The elements of a scalar or vector that must be known when the graph is built: axes, counts. */
export function numbersOf(value: Value): readonly number[] {
  return sizesOf(value).map((size) => {
    assert(typeof size === "number", `the numbers in ${value.name} are known when the graph is built`);
    return size;
  });
}

export function intOf(attributes: Attributes, name: string, byDefault: number): number {
  const attribute = attributes[name];
  return attribute?.kind === "int" ? attribute.value : byDefault;
}

export function intsOf(attributes: Attributes, name: string): readonly number[] | undefined {
  const attribute = attributes[name];
  return attribute?.kind === "ints" ? attribute.value : undefined;
}

export function floatOf(attributes: Attributes, name: string, byDefault: number): number {
  const attribute = attributes[name];
  return attribute?.kind === "float" ? attribute.value : byDefault;
}

export function stringOf(attributes: Attributes, name: string, byDefault: string): string {
  const attribute = attributes[name];
  return attribute?.kind === "string" ? attribute.value : byDefault;
}

export function typeOf(attributes: Attributes, name: string): DataType {
  const attribute = attributes[name];
  const dataType = attribute?.kind === "int" ? dataTypeOf(attribute.value) : undefined;
  assert(dataType !== undefined, `the attribute ${name} is a data type`);
  return dataType;
}

/** An axis counted from the front; one below 0 counts from the end of so many. */
export function frontAxis(axis: number, rank: number): number {
  assert(axis >= -rank && axis < rank, `the axis ${axis} is one of ${rank}`);
  return axis < 0 ? axis + rank : axis;
}
