import { assert } from "../../errors.ts";
import type { Attributes, Value } from "../graph.ts";
import { commonType, type Inference, intOf, stringOf, type ValueType } from "./inference.ts";

/** Recurrent layers over [steps, rows, features]: all outputs [steps, directions, rows, hidden], and what is handed on at the end. */
export const recurrentOperators = {
  LSTM: (inputs, attributes) => {
    const [all, last] = outputsOf(inputs, attributes, 4, [inputs[5], inputs[6]]);
    return [all, last, last];
  },
  GRU: (inputs, attributes) => outputsOf(inputs, attributes, 3, [inputs[5]]),
} as const satisfies Record<string, Inference>;

function outputsOf(
  [x, w, r, b]: readonly Value[],
  attributes: Attributes,
  gates: number,
  initial: readonly (Value | undefined)[],
): readonly [ValueType, ValueType] {
  assert(x.shape.length === 3, `the input is [steps, rows, features], not [${x.shape}]`);
  const layout = intOf(attributes, "layout", 0);
  assert(layout === 0, `layout is 0, with the steps first, not ${layout}`);
  const [steps, rows, features] = x.shape;
  const directions = stringOf(attributes, "direction", "forward") === "bidirectional" ? 2 : 1;
  const hidden = intOf(attributes, "hidden_size", 0);
  checkShape("W", w, [directions, gates * hidden, features]);
  checkShape("R", r, [directions, gates * hidden, hidden]);
  checkShape("B", b, [directions, 2 * gates * hidden]);
  for (const value of initial) checkShape("the initial state", value, [directions, rows, hidden]);
  const dataType = commonType([x, w, r, b, ...initial]);
  return [
    { dataType, shape: [steps, directions, rows, hidden] },
    { dataType, shape: [directions, rows, hidden] },
  ];
}

function checkShape(name: string, value: Value | undefined, needed: Value["shape"]): void {
  assert(
    value === undefined || `${value.shape}` === `${needed}`,
    `${name} has the shape [${needed}], not [${value?.shape}]`,
  );
}
