import type { GraphBuilder } from "../../../../lib/onnx/builder.ts";
import type { Value } from "../../../../lib/onnx/graph.ts";
import type { Operator } from "../../../../lib/onnx/operators/operators.ts";
import { type Derivation, like } from "./rule.ts";

/** The rule of an operator that takes elements: it takes their places, as integers that it has a kernel for, and the gradient is added there. */
export function putBack(
  operator: Operator,
  placeType: "INT64" | "INT32" = "INT64",
): (derivation: Derivation) => (() => Value)[] {
  return ({ graph, inputs: [x, ...which], attributes, dy }) => [
    () => {
      const all = graph.node("Range", [graph.scalar(0, "INT64"), graph.size(x), graph.scalar(1, "INT64")]);
      const places = graph.cast(graph.shaped(all, graph.shapeOf(x)), placeType);
      const taken = graph.node(operator, [places, ...which], attributes);
      return addedAt(graph, x, taken, dy);
    },
  ];
}

/** Zeros of the shape of `x` with each of `dy` added at its place, which counts the elements row by row; in the order of `dy`. */
function addedAt(graph: GraphBuilder, x: Value, places: Value, dy: Value): Value {
  const line = graph.sizes([-1]);
  const flat = graph.expand(like(graph, 0, dy), graph.reshape(graph.size(x), line));
  return graph.shaped(
    graph.scatterAdd(flat, graph.reshape(places, line), graph.reshape(dy, line), 0),
    graph.shapeOf(x),
  );
}
