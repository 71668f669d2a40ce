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

describe("the types of operators on windows, channels and sequences refuse", () => {
  const wrong: readonly [title: string, shape: readonly number[], build: Build, message: RegExp][] = [
    ["other channels", [1, 3, 5], (g, x, of) => g.node("Conv", [x, of(2, 2, 3)]), /3 channels are 1 groups of 2/],
    ["a window too wide", [1, 2, 2], (g, x, of) => g.node("Conv", [x, of(2, 2, 3)]), /a window of 3 fits into 2/],
    [
      "an unknown auto_pad",
      [1, 2, 4],
      (g, x, of) => g.node("Conv", [x, of(2, 2, 3)], { auto_pad: string("SAME") }),
      /auto_pad SAME/,
    ],
    [
      "pads of another rank",
      [1, 2, 4],
      (g, x, of) => g.node("Conv", [x, of(2, 2, 3)], { pads: ints([1]) }),
      /pads \[1\]/,
    ],
    ["a pooling without a kernel", [1, 2, 4], (g, x) => g.node("MaxPool", [x]), /kernel_shape/],
    [
      "groups that do not divide",
      [1, 3, 4],
      (g, x, of) => g.node("GroupNormalization", [x, of(3), of(3)], { num_groups: int(2) }),
      /3 channels .* 2 groups/,
    ],
    [
      "a scale that does not fit",
      [2, 3],
      (g, x, of) => g.node("LayerNormalization", [x, of(2)]),
      /\[2\] broadcasts to \[3\]/,
    ],
    [
      "an axis of two sizes",
      [2, 3],
      (g, x, of) => g.node("Einsum", [x, of(2, 2)], { equation: string("ij,jk->ik") }),
      /the axis j .* 3 and 2/,
    ],
    ["a result out of nothing", [2, 3], (g, x) => g.node("Einsum", [x], { equation: string("ij->k") }), /axis k/],
    [
      "a wrong recurrent weight",
      [2, 1, 3],
      (g, x, of) => g.node("LSTM", [x, of(1, 8, 2), of(1, 8, 2)], { hidden_size: int(2) }),
      /W has the shape \[1,8,3\]/,
    ],
  ];
  for (const [title, shape, build, message] of wrong) {
    it(title, () => expect(() => built(build, shape)).to.throw(message));
  }
});

describe("gradients are refused by node and attribute for", () => {
  const withoutRule: readonly [title: string, shape: readonly (number | string)[], build: Build, message: string][] = [
    [
      "column-major places",
      [1, 1, 4],
      (g, x) => g.node("MaxPool", [x], { kernel_shape: ints([2]), storage_order: int(1) }),
      "(MaxPool) has storage_order 1; its gradient needs 0",
    ],
    [
      "a wrapped padding",
      [4],
      (g, x) => g.node("Pad", [x, g.sizes([1, 1])], { mode: string("wrap") }),
      "(Pad) has mode wrap",
    ],
    [
      "linear resizing",
      [1, 1, 4],
      (g, x) => g.node("Resize", [x, undefined, g.constant("FP32", [3], [1, 1, 2])], { mode: string("linear") }),
      "(Resize) has mode linear",
    ],
    [
      "a scale that is no whole number",
      [1, 1, 4],
      (g, x) => g.node("Resize", [x, undefined, g.constant("FP32", [3], [1, 1, 1.5])]),
      "(Resize) has scales [1,1,1.5]",
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
