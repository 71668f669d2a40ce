import { readFileSync } from "node:fs";
import { expect } from "chai";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Value } from "../../lib/onnx/graph.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { openSession, type RuntimeTensor } from "../../services/trainer/engine/runtime.ts";
import { gradients } from "../../services/trainer/graph/gradients.ts";
import { initialTensors } from "../../services/trainer/graph/initialise.ts";
import { type Layer, layerKinds } from "../../services/trainer/graph/layers/layer.ts";
import { layersNetwork } from "../../services/trainer/graph/layers/layers-network.ts";
import type { Network } from "../../services/trainer/graph/network.ts";
import { fileOf } from "../repository.ts";

interface Tensor {
  readonly shape: readonly number[];
  readonly elements: readonly number[];
}
type Tensors = Readonly<Record<string, Tensor>>;

/** What test/fixtures/layers-torch.py has written. */
interface Case {
  readonly layer: Layer;
  readonly batch: Tensor;
  readonly parameters: Tensors;
  readonly statistics: Tensors;
  readonly evaluated: Tensor;
  /** Where it is another than in evaluation. */
  readonly trained?: readonly number[];
  readonly gradients: Tensors;
  readonly statisticsAfter: Tensors;
}

/** What figures the first weights of a module have: mean, deviation, mean distance from the mean. */
interface First {
  readonly layer: Layer;
  readonly inputShape: readonly number[];
  readonly figures: Readonly<Record<string, readonly [mean: number, deviation: number, distance: number]>>;
}

const { cases, first }: { cases: readonly Case[]; first: readonly First[] } = JSON.parse(
  readFileSync(fileOf("test/fixtures/layers-torch/cases.json"), "utf8"),
);

describe("a layer", () => {
  for (const each of cases) {
    it(`has the parameters, outputs and gradients of PyTorch's module: ${JSON.stringify(each.layer)}`, async () => {
      const network = networkOf(each);
      expect(network.outputShape).to.deep.equal(each.evaluated.shape.slice(1));
      expect(shapesOf(network.parameters)).to.deep.equal(knownShapes(each.parameters));
      expect(shapesOf(network.statistics)).to.deep.equal(knownShapes(each.statistics));
      const seen = await outputsOf(network, each);
      close(seen.evaluated, each.evaluated.elements, "output");
      close(seen.trained, each.trained ?? each.evaluated.elements, "output in training");
      for (const [name, { elements }] of Object.entries(each.gradients))
        close(seen[`d ${name}`], elements, `d ${name}`);
      for (const [name, { elements }] of Object.entries(each.statisticsAfter)) close(seen[name], elements, name);
    });
  }

  for (const { layer, inputShape, figures } of first) {
    it(`begins as PyTorch's module does: ${JSON.stringify(layer)}`, () => {
      const network = layersNetwork({ kind: "layers", inputShape, layers: [layer] });
      for (const [name, elements] of initialTensors({ ...network, statistics: [] }, 1)) {
        const [mean, deviation, distance] = figuresOf(elements);
        const known = figures[name]!;
        expect(mean, name).to.be.closeTo(known[0], 0.2 * known[1] + 1e-9);
        expect(deviation, name).to.be.closeTo(known[1], 0.08 * known[1] + 1e-9);
        // Even numbers have 0.866 here, normal ones 0.798.
        expect(distance / (deviation || 1), name).to.be.closeTo(known[2] / (known[1] || 1), 0.03);
      }
    });
  }

  it("of every kind is among them", () => {
    // What dropout leaves out is of our own making.
    expect([...new Set([...cases.map(({ layer }) => layer.kind), "dropout"])]).to.have.members(layerKinds);
  });
});

function figuresOf(elements: Float32Array): readonly [number, number, number] {
  const mean = averageOf(elements);
  const distances = elements.map((element) => Math.abs(element - mean));
  return [mean, Math.sqrt(averageOf(distances.map((distance) => distance ** 2))), averageOf(distances)];
}

function averageOf(numbers: Float32Array): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

function networkOf({ layer, batch }: Case): Network {
  return layersNetwork({ kind: "layers", inputShape: batch.shape.slice(1), layers: [layer] });
}

/** The output in evaluation and in training, and there the gradients of the mean of its squares and the statistics afterwards. */
async function outputsOf(network: Network, { batch, parameters, statistics }: Case) {
  const graph = new GraphBuilder("layer");
  const { dataType, rowShape } = network.input;
  const input = graph.input("input", dataType, ["rows", ...rowShape]);
  const known = Object.entries({ ...parameters, ...statistics });
  const tensors = new Map(known.map(([name, { shape }]) => [name, graph.input(name, "FP32", shape)]));
  const step = graph.scalar(0, "INT64");
  const evaluated = network.append(graph, input, tensors, { kind: "inference" });
  const trained = network.append(graph, input, tensors, { kind: "training", seed: 1, step });
  const names = Object.keys(parameters);
  const loss = graph.reduceMean(graph.mul(trained.output, trained.output));
  const slopes = gradients(
    graph,
    loss,
    names.map((name) => tensors.get(name) as Value),
  );
  graph.output("evaluated", evaluated.output);
  graph.output("trained", trained.output);
  for (const [index, slope] of slopes.entries()) graph.output(`d ${names[index]}`, slope);
  const after = [...trained.statistics].map(([name, value]) => [name, graph.output(`after ${name}`, value).name]);
  const session = await openSession(writeModel(modelOf(graph.graph())), 1);
  try {
    const elements = dataType === "FP32" ? Float32Array.from(batch.elements) : Int32Array.from(batch.elements);
    const outputs = await session.run({
      input: { dataType, shape: batch.shape, elements } as RuntimeTensor,
      ...Object.fromEntries(known.map(([name, tensor]) => [name, fp32(tensor)])),
    });
    const named = after.map(([name, output]) => [name, outputs[output]]);
    return { ...outputs, ...Object.fromEntries(named) } as Record<string, RuntimeTensor>;
  } finally {
    await session.release();
  }
}

function close(seen: RuntimeTensor, known: readonly number[], what: string): void {
  expect(seen.elements.length, what).to.equal(known.length);
  for (const [index, number] of known.entries()) {
    expect(seen.elements[index], `${what}, element ${index}`).to.be.closeTo(
      number,
      2e-5 * Math.max(1, Math.abs(number)),
    );
  }
}

function shapesOf(tensors: readonly { readonly name: string; readonly shape: readonly number[] }[]) {
  return Object.fromEntries(tensors.map(({ name, shape }) => [name, shape]));
}

function knownShapes(tensors: Tensors) {
  return shapesOf(Object.entries(tensors).map(([name, { shape }]) => ({ name, shape })));
}

function fp32({ shape, elements }: Tensor): RuntimeTensor {
  return { dataType: "FP32", shape, elements: Float32Array.from(elements) };
}
