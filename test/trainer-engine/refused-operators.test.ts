import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { int, ints, string } from "../../lib/onnx/attributes.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import type { Value } from "../../lib/onnx/graph.ts";
import { gradients } from "../../services/trainer/graph/gradients.ts";

type Build = (graph: GraphBuilder, x: Value, input: (...shape: (number | string)[]) => Value) => Value;

function built(build: Build, shape: readonly (number | string)[]): [GraphBuilder, Value, Value] {
  const graph = new GraphBuilder("refused");
  const x = graph.input("x", "FP32", shape);
  return [graph, x, build(graph, x, (...sizes) => graph.input("operand", "FP32", sizes))];
}

describe("gradients are refused by node and attribute for", () => {
  const withoutRule: readonly [title: string, shape: readonly (number | string)[], build: Build, message: string][] = [
    [
      "an unknown padding",
      [4],
      (g, x) => g.node("Pad", [x, g.sizes([1, 1])], { mode: string("mirror") }),
      "(Pad) has mode mirror; its gradient needs constant, reflect, edge or wrap",
    ],
    [
      "linear resizing",
      [1, 1, 4],
      (g, x) => g.node("Resize", [x, undefined, g.constant("FP32", [3], [1, 1, 2])], { mode: string("linear") }),
      "(Resize) has mode linear",
    ],
    [
      "resizing that reaches outside",
      [1, 1, 4],
      (g, x) =>
        g.node("Resize", [x, undefined, g.constant("FP32", [3], [1, 1, 2])], {
          coordinate_transformation_mode: string("tf_crop_and_resize"),
        }),
      "(Resize) has coordinate_transformation_mode tf_crop_and_resize",
    ],
    [
      "averages over an unknown size",
      [1, 1, "n"],
      (g, x) => g.node("AveragePool", [x], { kernel_shape: ints([2]) }),
      "(AveragePool) has an input of the size n; its gradient needs sizes that are known before it runs",
    ],
    [
      "a diagonal",
      [3, 3],
      (g, x) => g.node("Einsum", [x], { equation: string("ii->i") }),
      "(Einsum) has equation ii->i",
    ],
    [
      "strides over an unknown size",
      [1, 1, "n"],
      (g, x, of) => g.node("Conv", [x, of(1, 1, 2)], { strides: ints([2]) }),
      "(Conv) has an input of the size n",
    ],
    [
      "peepholes",
      [2, 1, 3],
      (g, x, of) =>
        g.node("LSTM", [x, of(1, 8, 3), of(1, 8, 2), undefined, undefined, undefined, undefined, of(1, 6)], {
          hidden_size: int(2),
        }),
      "(LSTM) has the input P; its gradient needs no peepholes",
    ],
  ];
  for (const [title, shape, build, message] of withoutRule) {
    it(title, () => {
      const [graph, x, output] = built(build, shape);
      expect(() => gradients(graph, graph.reduceSum(output), [x])).to.throw(ServiceError, message);
    });
  }
});
