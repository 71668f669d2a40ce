import { assert } from "../../errors.ts";
import type { Attributes, Value } from "../graph.ts";
import { type Inference, one, taking, type ValueType } from "./inference.ts";
import { kernelOf, windowsOf } from "./windows.ts";

/** Operators that make one element of all those under a window: [rows, channels, …spatial]. */
export const poolingOperators = {
  /** The second output is the place of each maximum in the input, row-major over all of it. */
  MaxPool: taking("numbers", ([x], attributes) => {
    const { dataType, shape } = pooled(x, attributes);
    return [
      { dataType, shape },
      { dataType: "INT64", shape },
    ];
  }),
  AveragePool: taking(
    "floats",
    one(([x], attributes) => pooled(x, attributes)),
  ),
  GlobalMaxPool: taking(
    "floats",
    one(([x]) => overAll(x)),
  ),
  GlobalAveragePool: taking(
    "floats",
    one(([x]) => overAll(x)),
  ),
} as const satisfies Record<string, Inference>;

function pooled(x: Value, attributes: Attributes): ValueType {
  checkPlanes(x);
  const windows = windowsOf(attributes, x.shape.slice(2), kernelOf(attributes, x));
  return { dataType: x.dataType, shape: [...x.shape.slice(0, 2), ...windows.map(({ output }) => output)] };
}

function overAll(x: Value): ValueType {
  checkPlanes(x);
  return { dataType: x.dataType, shape: x.shape.map((size, axis) => (axis < 2 ? size : 1)) };
}

function checkPlanes({ shape }: Value): void {
  assert(shape.length >= 3, `[${shape}] has spatial axes after rows and channels`);
}
