import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { int } from "../../lib/onnx/attributes.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { openSession } from "../../services/trainer/engine/runtime.ts";
import { dropout } from "../../services/trainer/graph/dropout.ts";
import { gradients } from "../../services/trainer/graph/gradients.ts";

const shape = [100, 200];
const ones = { dataType: "FP32", shape, elements: new Float32Array(20_000).fill(1) } as const;

/** Dropout of ones at some steps, and its gradient, all in one Loop. */
async function masks(seed: number, ratio: number, index = 0, first = 0): Promise<[number[][], number[][]]> {
  const graph = new GraphBuilder("dropping");
  const x = graph.input("x", "FP32", ["rows", 200]);
  const { scanned } = graph.loop(graph.scalar(3, "INT64"), 3, [], (inner, iteration) => {
    const step = inner.add(iteration, inner.scalar(first, "INT64"));
    const given = dropout(inner, x, ratio, { seed, index, step });
    const [slope] = gradients(inner, inner.reduceSum(given), [x]);
    return { carried: [], scanned: [given, slope] };
  });
  for (const [place, name] of ["dropped", "slopes"].entries()) graph.output(name, scanned[place]);
  const session = await openSession(writeModel(modelOf(graph.graph())), 1);
  try {
    const { dropped, slopes } = await session.run({ x: ones });
    const rows = (all: ArrayLike<number>) =>
      [0, 1, 2].map((step) => Array.from(all).slice(step * 20_000, (step + 1) * 20_000));
    return [rows(dropped.elements), rows(slopes.elements)];
  } finally {
    await session.release();
  }
}

describe("dropout", () => {
  it("drops each element with its ratio, and scales the others so that the mean stays", async () => {
    for (const ratio of [0, 0.1, 0.5, 0.9]) {
      const [[given]] = await masks(7, ratio);
      const dropped = given.filter((element) => element === 0).length / given.length;
      expect(dropped).to.be.closeTo(ratio, 0.02);
      for (const element of new Set(given)) expect(element).to.be.closeTo(element === 0 ? 0 : 1 / (1 - ratio), 1e-5);
    }
  });

  it("passes gradients on where it kept elements, scaled alike", async () => {
    const [given, slopes] = await masks(7, 0.3);
    expect(slopes).to.deep.equal(given);
  });

  it("gives the same masks for the same seed, step and place, in whatever call a step is taken", async () => {
    const [[, second, third]] = await masks(7, 0.5);
    const [again] = await masks(7, 0.5, 0, 1);
    expect(again.slice(0, 2)).to.deep.equal([second, third]);
  });

  it("has masks for other steps, seeds and places that have nothing to do with each other", async () => {
    const [[first, second]] = await masks(7, 0.5);
    const [[otherSeed]] = await masks(8, 0.5);
    const [[otherPlace]] = await masks(7, 0.5, 1);
    for (const other of [second, otherSeed, otherPlace]) {
      const both = first.filter((element, index) => element === other[index]).length / first.length;
      expect(both).to.be.closeTo(0.5, 0.02);
    }
    const rows = [first.slice(0, 10_000), first.slice(10_000)];
    const alike = rows[0].filter((element, index) => element === rows[1][index]).length / 10_000;
    expect(alike).to.be.closeTo(0.5, 0.03);
  });
});

describe("ONNX's Dropout in training", () => {
  it("passes gradients on by its mask", async () => {
    const graph = new GraphBuilder("masked");
    const x = graph.input("x", "FP32", shape);
    const [given] = graph.many("Dropout", [x, graph.scalar(0.25, "FP32"), graph.constant("BOOL", [], [1])], {
      seed: int(3),
    });
    const [slope] = gradients(graph, graph.reduceSum(given), [x]);
    graph.output("given", graph.identity(given));
    graph.output("slope", slope);
    const session = await openSession(writeModel(modelOf(graph.graph())), 1);
    try {
      const outputs = await session.run({ x: ones });
      expect([...outputs.slope.elements]).to.deep.equal([...outputs.given.elements]);
      expect([...outputs.given.elements]).to.include(0);
    } finally {
      await session.release();
    }
  });

  it("is refused without its mask", () => {
    const graph = new GraphBuilder("unmasked");
    const x = graph.input("x", "FP32", shape);
    const given = graph.node("Dropout", [x, undefined, graph.constant("BOOL", [], [1])]);
    expect(() => gradients(graph, graph.reduceSum(given), [x])).to.throw(ServiceError, /Dropout.*mask/);
  });
});
