import type { arrangementOperators } from "../../../../lib/onnx/operators/arrangement.ts";
import type { Rules } from "./rule.ts";

/** Rules of operators that only place elements elsewhere, or tell the sizes. */
export const arrangementRules = {
  Reshape: ({ graph, inputs: [x], dy }) => [() => graph.reshape(dy, graph.shapeOf(x)), undefined],
  Expand: ({ dy }) => [() => dy, undefined],
  Unsqueeze: ({ graph, inputs: [x], dy }) => [() => graph.reshape(dy, graph.shapeOf(x)), undefined],
  Transpose: ({ graph, attributes: { perm }, dy }) => [
    () => graph.transpose(dy, perm.kind === "ints" ? perm.value.map((_, axis) => perm.value.indexOf(axis)) : []),
  ],
  Gather: undefined,
  Shape: undefined,
  Size: undefined,
} as const satisfies Rules<typeof arrangementOperators>;
