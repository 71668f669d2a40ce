import type { Application } from "./conversions.ts";
import { elementsOf } from "./element-type.ts";
import type { Value } from "./graph.ts";

/** What a node of the operator Constant gives, whichever attribute says it; undefined for other nodes, texts and sparse tensors. */
export function constantOf({ operator, attributes }: Application): Omit<Value, "name"> | undefined {
  if (operator !== "Constant") return undefined;
  const { value, value_float, value_floats, value_int, value_ints } = attributes;
  if (value?.kind === "tensor") return value.value;
  if (value_float?.kind === "float") return constant("FP32", [], [value_float.value]);
  if (value_floats?.kind === "floats") return constant("FP32", [value_floats.value.length], value_floats.value);
  if (value_int?.kind === "int") return constant("INT64", [], [value_int.value]);
  if (value_ints?.kind === "ints") return constant("INT64", [value_ints.value.length], value_ints.value);
  return undefined;
}

function constant(dataType: "FP32" | "INT64", shape: readonly number[], numbers: readonly number[]) {
  return { dataType, shape, elements: elementsOf(dataType, numbers) };
}
