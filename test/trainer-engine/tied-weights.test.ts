import { expect } from "chai";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Value } from "../../lib/onnx/graph.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { openSession } from "../../services/trainer/engine/runtime.ts";
import { gradients } from "../../services/trainer/graph/gradients.ts";
import { initialTensors } from "../../services/trainer/graph/initialise.ts";
import { lossValues } from "../../services/trainer/graph/losses/loss.ts";
import { networkOf } from "../../services/trainer/graph/network-spec.ts";

const gpt = { kind: "gpt", tokenCount: 5, context: 4, width: 6, layerCount: 1, headCount: 2 } as const;
const first = initialTensors(networkOf({ ...gpt, tied: true }), 1);

describe("weights that are used twice", () => {
  it("have the sum of both gradients", async () => {
    const [tied, apart] = [await slopesOf(true), await slopesOf(false)];
    const [embedding, head] = ["layers.0.weight", "layers.4.weight"].map((name) => apart.get(name)!);
    const both = tied.get("layers.0.weight")!;
    expect([...both].some((slope) => Math.abs(slope) > 0.01)).to.equal(true);
    for (const [index, slope] of both.entries()) expect(slope).to.be.closeTo(embedding[index] + head[index], 1e-6);
  });
});

/** The gradients of a gpt's parameters, whose scores are made by the weights of the embedding either way. */
async function slopesOf(tied: boolean): Promise<ReadonlyMap<string, Float32Array>> {
  const network = networkOf({ ...gpt, tied });
  const graph = new GraphBuilder("gpt");
  const [tokens, targets] = ["tokens", "targets"].map((name) => graph.input(name, "INT32", ["rows", 4]));
  const elementsOf = (name: string) => (name === "layers.4.weight" ? first.get("layers.0.weight")! : first.get(name)!);
  const tensors = new Map(
    network.parameters.map(({ name, shape }): [string, Value] => [
      name,
      graph.initializer(name, "FP32", shape, elementsOf(name)),
    ]),
  );
  const { output } = network.append(graph, tokens, tensors, { kind: "inference" });
  const { mean } = lossValues(graph, { kind: "next_token" }, output, targets);
  const slopes = gradients(graph, mean, [...tensors.values()]);
  const names = slopes.map((slope) => graph.output("slope", slope).name);
  const session = await openSession(writeModel(modelOf(graph.graph())), 1);
  try {
    const rows = (elements: number[]) =>
      ({ dataType: "INT32", shape: [2, 4], elements: Int32Array.from(elements) }) as const;
    const outputs = await session.run({
      tokens: rows([0, 1, 2, 3, 4, 0, 2, 2]),
      targets: rows([1, 2, 3, 4, 0, 2, 2, 1]),
    });
    return new Map([...tensors.keys()].map((name, index) => [name, outputs[names[index]].elements as Float32Array]));
  } finally {
    await session.release();
  }
}
