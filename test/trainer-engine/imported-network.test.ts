import { readFileSync } from "node:fs";
import { expect } from "chai";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Value } from "../../lib/onnx/graph.ts";
import { type ModelProto, readModel, writeModel } from "../../lib/onnx/model.ts";
import { servedWith } from "../../services/trainer/datasets/columns/preprocessing-graph.ts";
import type { Head } from "../../services/trainer/graph/imported/head.ts";
import { importedNetwork } from "../../services/trainer/graph/imported/imported-network.ts";
import { inferenceModel } from "../../services/trainer/graph/inference-model.ts";
import { initialTensors } from "../../services/trainer/graph/initialise.ts";
import type { Network } from "../../services/trainer/graph/network.ts";
import { outputsOf } from "../onnx/running-model.ts";
import { fileOf } from "../repository.ts";
import { trainOn } from "./train-on.ts";

const fileNamed = (name: string) => readFileSync(fileOf(`test/fixtures/exported-torch/${name}.onnx`));
const specOf = (model: Uint8Array, head?: Head) => ({ kind: "imported", model, files: new Map(), head }) as const;
const networkOf = (name: string, head?: Head) => importedNetwork(specOf(fileNamed(name), head));
const namesOf = (tensors: readonly { readonly name: string }[]) => tensors.map(({ name }) => name);
const served = (network: Network) => inferenceModel(network, initialTensors(network, 1));

const imageNames = ["conv1", "norm", "conv2", "fc"].flatMap((layer) => [`${layer}.weight`, `${layer}.bias`]);
const rows = 3;
const images = {
  dataType: "FP32",
  shape: [rows, 1, 8, 8],
  elements: Float32Array.from({ length: rows * 64 }, (_, index) => Math.sin(index)),
} as const;
const tokens = {
  dataType: "INT64",
  shape: [rows, 6],
  elements: BigInt64Array.from({ length: rows * 6 }, (_, index) => BigInt(index % 11)),
} as const;

describe("a network from an ONNX file", () => {
  for (const name of ["images-traced-13", "images-traced-13-training", "images-traced-17-training"]) {
    it(`has the parameters and statistics that PyTorch's module has, by their names: ${name}`, () => {
      const { input, outputShape, parameters, statistics } = networkOf(name);
      expect(namesOf(parameters)).to.have.members(imageNames);
      expect(namesOf(statistics)).to.deep.equal(["norm.running_mean", "norm.running_var"]);
      expect({ input, outputShape }).to.deep.equal({
        input: { dataType: "FP32", rowShape: [1, 8, 8] },
        outputShape: [3],
      });
    });
  }

  it("has statistics of its own where its file shares them with weights", async () => {
    const graph = new GraphBuilder("shared");
    const [one, zero] = [weights(graph, "one", [2]), weights(graph, "zero", [2])];
    graph.output("y", graph.node("BatchNormalization", [graph.input("x", "FP32", ["n", 2, 3]), one, zero, zero, one]));
    const network = importedNetwork(specOf(written(graph)));
    expect([namesOf(network.parameters), namesOf(network.statistics)]).to.deep.equal([
      ["one", "zero"],
      ["zero_1", "one_1"],
    ]);
    const x = { dataType: "FP32", shape: [1, 2, 3], elements: Float32Array.of(1, 2, 3, 4, 5, 6) } as const;
    expect(await outputsOf(served(network), { x })).to.deep.equal(await outputsOf(modelOf(graph.graph()), { x }));
  });

  it("takes numbers of several inputs that are joined, and is served with those inputs", async () => {
    const graph = new GraphBuilder("columns");
    const joined = graph.concat([graph.input("a", "FP32", ["n", 1]), graph.input("b", "FP32", ["n", 2])], 1);
    graph.output("y", graph.node("Gemm", [joined, weights(graph, "w", [3, 2])]));
    const network = importedNetwork(specOf(written(graph)));
    expect(network.input).to.deep.equal({ dataType: "FP32", rowShape: [3] });
    const columns = network.served!.columns!;
    expect(columns.map(({ name, width }) => [name, width])).to.deep.equal([
      ["a", 1],
      ["b", 2],
    ]);
    const preprocessing = { columns, isByName: true };
    const model = inferenceModel(network, initialTensors(network, 1), servedWith({ preprocessing }, network));
    const a = { dataType: "FP32", shape: [1, 1], elements: Float32Array.of(1) } as const;
    const b = { dataType: "FP32", shape: [1, 2], elements: Float32Array.of(2, 3) } as const;
    expect(await outputsOf(model, { a, b })).to.deep.equal(await outputsOf(modelOf(graph.graph()), { a, b }));
  });

  it("takes tokens, of which there are as many as rows in the table that they are looked up in", () => {
    for (const name of ["tokens-traced-17", "tokens-traced-17-training", "tokens-graph-20"]) {
      expect(networkOf(name).input).to.deep.equal({ dataType: "INT32", rowShape: [6], tokenCount: 11 });
    }
    expect(networkOf("tokens-traced-17-training").parameters).to.have.length(16);
  });

  for (const [name, x] of [
    ["images-traced-13", images],
    ["images-graph-18", images],
    ["tokens-traced-17", tokens],
    ["tokens-graph-20", tokens],
  ] as const) {
    it(`is served as the file before it is trained, to the last bit and by its names: ${name}`, async () => {
      const expected = await outputsOf(readModel(fileNamed(name)), { x });
      expect(await outputsOf(served(networkOf(name)), { x })).to.deep.equal(expected);
    });
  }

  it("neither drops nor takes a batch's statistics when it is served, though its file does", async () => {
    const { scores } = await outputsOf(served(networkOf("images-traced-17-training")), { x: images });
    const first = { ...images, shape: [1, 1, 8, 8], elements: images.elements.slice(0, 64) };
    const alone = await outputsOf(served(networkOf("images-traced-17-training")), { x: first });
    for (const [index, score] of Array.from(alone.scores!.elements, Number).entries()) {
      expect(score).to.be.closeTo(Number(scores!.elements[index]), 1e-6);
    }
  });

  it("trains: what is not frozen moves, running statistics too, and what is frozen does not, to the last bit", async () => {
    const network = specOf(fileNamed("images-traced-17-training"), { outputSize: 2 });
    const rowCount = 40;
    const features = Float32Array.from({ length: rowCount * 64 }, (_, index) => Math.sin(index * (index % 3)));
    const outcome = await trainOn(
      {
        network,
        loss: { kind: "cross_entropy" },
        optimizer: { kind: "adam", learningRate: 0.05 },
        frozen: ["conv*"],
        epochCount: 30,
        batchRows: 20,
        seed: 1,
        validationShare: 0,
        threadCount: 1,
      },
      {
        rowCount,
        featureCount: 64,
        features,
        targets: Int32Array.from({ length: rowCount }, (_, row) => Number(features[64 * row + 1]! > 0)),
      },
    );
    expect(outcome.metrics.trainingLoss).to.be.below(0.5);
    const before = tensorsIn(served(importedNetwork(network)));
    const after = tensorsIn(readModel(outcome.model));
    const moved = [...before].filter(([name, bytes]) => !bytes.equals(after.get(name)!)).map(([name]) => name);
    expect(moved).to.have.members([
      "norm.weight",
      "norm.bias",
      "head.weight",
      "head.bias",
      "norm.running_mean",
      "norm.running_var",
    ]);
  });

  it("has PyTorch's losses, and PyTorch's weights and running statistics after them", async () => {
    const { losses, tensors } = JSON.parse(
      readFileSync(fileOf("test/fixtures/exported-torch/images-learner.json"), "utf8"),
    );
    const features = Float32Array.from({ length: 12 * 64 }, (_, index) => Math.sin(index));
    const seen: number[] = [];
    const { model } = await trainOn(
      {
        network: specOf(fileNamed("images-learner")),
        loss: { kind: "cross_entropy" },
        optimizer: { kind: "sgd", learningRate: 0.1, momentum: 0 },
        epochCount: losses.length,
        batchRows: 12,
        seed: 1,
        validationShare: 0,
        threadCount: 1,
      },
      { rowCount: 12, featureCount: 64, features, targets: Int32Array.from({ length: 12 }, (_, row) => row % 3) },
      { onProgress: ({ kind, trainingLoss }) => kind === "epoch" && seen.push(trainingLoss) },
    );
    for (const [step, loss] of losses.entries()) expect(seen[step], `step ${step}`).to.be.closeTo(loss, 1e-4 * loss);
    for (const { name = "", rawData } of readModel(model).graph!.initializer!) {
      const elements = new Float32Array(Uint8Array.from(rawData!).buffer);
      for (const [index, expected] of (tensors[name] ?? []).entries()) {
        expect(elements[index], `${name}[${index}]`).to.be.closeTo(expected, 1e-4);
      }
    }
  });

  it("says of itself what its file says, but for the labels of a head that it has no more", () => {
    const metadataProps = [
      { key: "labels", value: "a\nb\nc" },
      { key: "team", value: "ours" },
    ];
    const model = { ...readModel(fileNamed("images-graph-18")), docString: "Images.", metadataProps };
    const saysOf = (head?: Head) => {
      const { docString, metadataProps, graph } = served(importedNetwork(specOf(writeModel(model), head)));
      return [docString, metadataProps, graph?.input?.map(({ name }) => name), graph?.output?.map(({ name }) => name)];
    };
    expect(saysOf()).to.deep.equal(["Images.", metadataProps, ["x"], ["scores"]]);
    expect(saysOf({ outputSize: 5 })).to.deep.equal(["Images.", metadataProps.slice(1), ["x"], ["scores"]]);
  });
});

describe("a new head", () => {
  it("takes the place of the last product with weights", () => {
    for (const name of ["images-graph-18", "images-traced-13", "tokens-traced-17", "tokens-graph-20"]) {
      const before = networkOf(name);
      const { parameters, outputShape } = networkOf(name, { outputSize: 5 });
      expect(outputShape).to.deep.equal([5]);
      const kept = namesOf(before.parameters).filter((each) => !each.startsWith("fc."));
      expect(namesOf(parameters)).to.have.members([...kept, "head.weight", "head.bias"]);
    }
  });

  it("works over the last axis, as what it replaces did, and drops what came after that", () => {
    const graph = new GraphBuilder("tokens");
    const x = graph.input("x", "FP32", ["n", 4, 8]);
    const hidden = graph.relu(graph.matMul(x, weights(graph, "first", [8, 6])));
    graph.output(
      "y",
      graph.softmax(graph.add(graph.matMul(hidden, weights(graph, "last", [6, 3])), weights(graph, "bias", [3]))),
    );
    const { outputShape, parameters } = importedNetwork(specOf(written(graph), { outputSize: 7 }));
    expect(outputShape).to.deep.equal([4, 7]);
    expect(parameters.map(({ name, shape }) => [name, shape])).to.deep.equal([
      ["first", [8, 6]],
      ["head.weight", [7, 6]],
      ["head.bias", [7]],
    ]);
  });

  it("comes after any value by its name, flattened, and has a name of its own", () => {
    const graph = new GraphBuilder("images");
    const kernel = weights(graph, "head.weight", [2, 1, 3, 3]);
    const [convolved] = graph.many("Conv", [graph.input("x", "FP32", ["n", 1, 5, 4]), kernel]);
    graph.output("y", graph.relu(convolved!));
    const { outputShape, parameters } = importedNetwork(
      specOf(written(graph), { outputSize: 3, after: convolved!.name }),
    );
    expect(outputShape).to.deep.equal([3]);
    expect(namesOf(parameters)).to.deep.equal(["head.weight", "head_1.weight", "head_1.bias"]);
    expect(parameters[1]!.shape).to.deep.equal([3, 2 * 3 * 2]);
  });
});

function weights(graph: GraphBuilder, name: string, shape: readonly number[]): Value {
  const length = shape.reduce((product, size) => product * size, 1);
  return graph.initializer(
    name,
    "FP32",
    shape,
    Float32Array.from({ length }, (_, index) => Math.cos(index)),
  );
}

function written(graph: GraphBuilder): Uint8Array {
  return writeModel(modelOf(graph.graph()));
}

function tensorsIn({ graph }: ModelProto): ReadonlyMap<string, Buffer> {
  return new Map(graph!.initializer!.map(({ name = "", rawData }) => [name, Buffer.from(rawData!)]));
}
