import { expect } from "chai";
import fc from "fast-check";
import { int, ints, string } from "../../lib/onnx/attributes.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Attributes, Graph, Shape, Value } from "../../lib/onnx/graph.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { product } from "../../lib/onnx/shapes.ts";
import { subgraphsOf } from "../../lib/onnx/uses.ts";
import { Random } from "../../lib/random.ts";
import { openSession, type RuntimeTensors } from "../../services/trainer/engine/runtime.ts";
import { filteredConvolution } from "../../services/trainer/graph/filtered-convolution.ts";
import { gradients } from "../../services/trainer/graph/gradients.ts";
import { networkOf } from "../../services/trainer/graph/network-spec.ts";
import { evaluationGraph, trainingGraph } from "../../services/trainer/graph/training-graph.ts";

const between = (min: number, max: number) => fc.integer({ min, max });

describe("convolutions by minimal filtering", () => {
  it("give what a Conv gives, and its gradients, whatever the sizes and pads", async function () {
    this.timeout(60_000);
    const cases = fc.record({
      rows: between(1, 3),
      channels: between(16, 24),
      outputs: between(16, 24),
      places: fc.tuple(between(3, 12), between(3, 12)),
      pads: fc.array(between(0, 2), { minLength: 4, maxLength: 4 }),
      hasBias: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ rows, channels, outputs, places, pads, hasBias }) => {
        const weight = [outputs, channels, 3, 3];
        const convolving = (isFiltered: boolean) => {
          const graph = new GraphBuilder("convolving");
          const x = graph.input("x", "FP32", ["rows", channels, ...places]);
          const given = [x, graph.input("weight", "FP32", weight)];
          if (hasBias) given.push(graph.input("bias", "FP32", [outputs]));
          const attributes = { pads: ints(pads) };
          const y = isFiltered
            ? filteredConvolution(graph, given, attributes, {})
            : graph.node("Conv", given, attributes);
          const loss = graph.reduceSum(graph.mul(y!, graph.tanh(y!)));
          for (const value of [y!, ...gradients(graph, loss, given)]) graph.output("result", value);
          return graph.graph();
        };
        const [plain, filtered] = [await results(convolving(false), rows), await results(convolving(true), rows)];
        for (const [index, elements] of plain.entries()) {
          const scale = Math.max(...elements.map(Math.abs));
          const errors = elements.map((element, place) => Math.abs(filtered[index]![place]! - element));
          expect(filtered[index]).to.have.length(elements.length);
          expect(Math.max(...errors) / scale).to.be.below(1e-4);
        }
      }),
      { numRuns: 15 },
    );
  });

  it("leave to a Conv what has strides, gaps, groups, other taps or axes, few channels or many places, and other devices", () => {
    const isFiltered = (x: Shape, weight: Shape, attributes: Attributes = {}, isComposed = false) => {
      const graph = new GraphBuilder("convolving");
      const given: Value[] = [graph.input("x", "FP32", x), graph.input("weight", "FP32", weight)];
      return filteredConvolution(graph, given, attributes, { isComposed }) !== undefined;
    };
    const [x, weight] = [
      ["rows", 32, 16, 16],
      [32, 32, 3, 3],
    ];
    expect(isFiltered(x, weight)).to.equal(true);
    expect(isFiltered(x, weight, { strides: ints([1, 1]), dilations: ints([1, 1]), group: int(1) })).to.equal(true);
    expect(isFiltered(x, weight, { strides: ints([2, 1]) })).to.equal(false);
    expect(isFiltered(x, weight, { dilations: ints([1, 2]) })).to.equal(false);
    expect(isFiltered(x, [32, 16, 3, 3], { group: int(2) })).to.equal(false);
    expect(isFiltered(x, weight, { auto_pad: string("SAME_UPPER") })).to.equal(false);
    expect(isFiltered(x, [32, 32, 3, 5])).to.equal(false);
    expect(isFiltered(["rows", 32, 16], [32, 32, 3])).to.equal(false);
    expect(isFiltered(["rows", 8, 8, 8], [32, 8, 3, 3])).to.equal(false);
    expect(isFiltered(x, [8, 32, 3, 3])).to.equal(false);
    expect(isFiltered(["rows", 32, 16, 40], weight)).to.equal(false);
    expect(isFiltered(["rows", 32, "height", 16], weight)).to.equal(false);
    expect(isFiltered(x, weight, {}, true)).to.equal(false);
  });

  it("are how a network is trained, not how it is measured", () => {
    const conv = { kind: "conv", outputChannels: 16, kernel: [3], padding: [1] } as const;
    const network = networkOf({ kind: "layers", inputShape: [16, 8, 8], layers: [conv] });
    const loss = { kind: "mse" } as const;
    const { graph } = trainingGraph(network, loss, { optimizer: { kind: "sgd", learningRate: 0.1 } }, 1);
    expect(graph.nodes.flatMap(subgraphsOf).flatMap(operatorsOf)).to.include("MatMul").and.not.include("Conv");
    expect(operatorsOf(evaluationGraph(network, loss)))
      .to.include("Conv")
      .and.not.include("MatMul");
  });
});

function operatorsOf({ nodes }: Graph): readonly string[] {
  return nodes.map(({ operator }) => operator);
}

/** What a graph gives for numbers that are drawn, the same for the same inputs. */
async function results(graph: Graph, rows: number): Promise<readonly number[][]> {
  const random = new Random(3, "convolutions");
  const inputs = graph.inputs.map(({ name, shape }) => {
    const sizes = shape.map((size) => (typeof size === "string" ? rows : size));
    const elements = Float32Array.from({ length: product(sizes) }, () => random.uniform() - 0.5);
    return [name, { dataType: "FP32", shape: sizes, elements }] as const;
  });
  const session = await openSession(writeModel(modelOf(graph)), 1);
  const outputs = await session.run(Object.fromEntries(inputs) as RuntimeTensors);
  await session.release();
  return graph.outputs.map(({ name }) => [...outputs[name]!.elements]);
}
