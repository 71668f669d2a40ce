import { expect } from "chai";
import { int, ints } from "../../lib/onnx/attributes.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { Random } from "../../lib/random.ts";
import { openSession, type RuntimeTensor } from "../../services/trainer/engine/runtime.ts";
import { gradients } from "../../services/trainer/graph/gradients.ts";

describe("gradients of convolutions", () => {
  const convolutions = [
    { shape: [2, 32, 7, 6], kernel: [8, 32, 3, 3], pads: [1, 1, 1, 1] },
    { shape: [2, 64, 7, 6], kernel: [6, 32, 3, 2], pads: [0, 1, 2, 0], group: 2 },
    { shape: [2, 32, 9], kernel: [4, 32, 3], pads: [2, 1], dilations: [2] },
    { shape: [2, 32, 6, 6], kernel: [4, 32, 1, 1], pads: [0, 0, 0, 0] },
    { shape: [2, 32, 6, 6], kernel: [4, 32, 3, 3], pads: [3, 3, 3, 3] },
    { shape: [2, 32, 7, 8], kernel: [4, 32, 3, 3], pads: [1, 1, 1, 1], strides: [2, 3] },
    { shape: [2, 3, 7, 6], kernel: [32, 3, 3, 3], pads: [1, 1, 1, 1] },
    { shape: [2, 3, 7, 6], kernel: [6, 3, 3, 2], pads: [1, 0, 1, 2], strides: [2, 1], dilations: [1, 2] },
    { shape: [2, 4, 9], kernel: [6, 2, 3], pads: [2, 1], group: 2 },
    { shape: [2, 6, 7, 6], kernel: [64, 3, 2, 2], pads: [0, 0, 0, 0], group: 2, strides: [2, 1] },
  ];

  for (const { shape, kernel, group = 1, ...windows } of convolutions) {
    const wheres = Object.entries(windows).map(([name, sizes]) => `${name} ${sizes.join(" ")}`);
    it(`are the transpose of what [${kernel}] does to [${shape}], group ${group}, ${wheres.join(", ")}`, async () => {
      const graph = new GraphBuilder("adjoint");
      const [x, w] = [graph.input("x", "FP32", ["rows", ...shape.slice(1)]), graph.input("w", "FP32", kernel)];
      const sizes = Object.entries(windows).map(([name, values]) => [name, ints(values)]);
      const attributes = { group: int(group), ...Object.fromEntries(sizes) };
      const output = graph.node("Conv", [x, w], attributes);
      const weights = graph.input("weights", "FP32", output.shape);
      const loss = graph.reduceSum(graph.mul(output, weights));
      const slopes = gradients(graph, loss, [x, w]);
      graph.output("loss", loss);
      for (const [index, value] of [x, w].entries()) {
        graph.output(`along.${value.name}`, graph.reduceSum(graph.mul(value, slopes[index])));
      }
      const random = new Random(1);
      const feeds = [
        drawn(random, "x", shape),
        drawn(random, "w", kernel),
        drawn(random, "weights", [shape[0], ...output.shape.slice(1).map(Number)]),
      ];
      const session = await openSession(writeModel(modelOf(graph.graph())), 1);
      const found = await session.run(Object.fromEntries(feeds)).finally(() => session.release());
      // It is linear in each of both.
      for (const name of ["along.x", "along.w"]) {
        expect(found[name].elements[0]).to.be.closeTo(found.loss.elements[0], 1e-3, name);
      }
    });
  }
});

function drawn(random: Random, name: string, shape: readonly number[]): [string, RuntimeTensor] {
  const count = shape.reduce((product, size) => product * size, 1);
  return [
    name,
    { dataType: "FP32", shape, elements: Float32Array.from({ length: count }, () => 2 * random.uniform() - 1) },
  ];
}
