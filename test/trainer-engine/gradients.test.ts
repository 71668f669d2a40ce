import { expect } from "chai";
import fc from "fast-check";
import { ServiceError } from "../../lib/errors.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { Random } from "../../lib/random.ts";
import { openSession, type RuntimeTensor, type RuntimeTensors } from "../../services/trainer/engine/runtime.ts";
import { gradients } from "../../services/trainer/graph/gradients.ts";
import { gradientRules } from "../../services/trainer/graph/rules/gradient-rules.ts";
import type { Case, Shape } from "./gradient-cases/case.ts";
import { cases } from "./gradient-cases/cases.ts";

describe("gradients", () => {
  it("are checked for every operator that has a rule", () => {
    const ruled = Object.entries(gradientRules).flatMap(([operator, rule]) => (rule === undefined ? [] : [operator]));
    expect(Object.keys(cases).sort()).to.deep.equal(ruled.sort());
  });

  for (const [operator, variants] of Object.entries(cases)) {
    for (const [index, variant] of variants.entries()) {
      const which = variants.length > 1 ? ` (${index + 1} of ${variants.length})` : "";
      it(`of ${operator} agree with central differences${which}`, async () => {
        const run = fc.asyncProperty(variant.shapes, fc.constantFrom(undefined, 2, 3), fc.nat(), async (...drawn) => {
          await agrees(variant, ...drawn);
        });
        await fc.assert(run, { numRuns: 15 });
      });
    }
  }
});

describe("the reverse walk", () => {
  it("refuses an operator without a rule, by node and with the operators that have one", () => {
    const graph = new GraphBuilder("gathering");
    const x = graph.input("x", "FP32", [3, 2]);
    const loss = graph.reduceSum(graph.gather(x, graph.sizes([1])));
    expect(() => gradients(graph, loss, [x])).to.throw(
      ServiceError,
      /the node Gather \(Gather\) has no gradient; .*Add/,
    );
  });

  it("refuses a parameter that the loss does not depend on, by name", () => {
    const graph = new GraphBuilder("lost");
    const [x, unused] = [graph.input("x", "FP32", []), graph.input("layers.7.weight", "FP32", [])];
    expect(() => gradients(graph, graph.exp(x), [x, unused])).to.throw(ServiceError, "layers.7.weight");
  });

  it("appends nothing for branches that no parameter moves", () => {
    const graph = new GraphBuilder("half");
    const [x, target] = [graph.input("x", "FP32", ["n"]), graph.input("target", "FP32", ["n"])];
    const loss = graph.reduceSum(graph.mul(x, graph.exp(target)));
    const before = graph.nodes.length;
    gradients(graph, loss, [x]);
    const appended = graph.nodes.slice(before).map(({ operator }) => operator);
    expect(appended).to.deep.equal(["Shape", "Expand", "Mul"]);
  });

  it("gives a gradient the data type of its parameter through a cast", () => {
    const graph = new GraphBuilder("mixed");
    const x = graph.input("x", "FP32", [2]);
    const [slope] = gradients(graph, graph.reduceSum(graph.cast(x, "FP64")), [x]);
    expect(slope.dataType).to.equal("FP32");
  });
});

/**
 * Compares the gradient of Σ weights·f(inputs) with central differences, in double precision where the runtime can. Axes of the
 * size `named` have only a name while the graph is built.
 */
async function agrees(
  { range = [-1.5, 1.5], sized, distinct = false, dataType = "FP64", apply }: Case,
  shapes: readonly Shape[],
  named: number | undefined,
  seed: number,
): Promise<void> {
  const graph = new GraphBuilder("checked");
  const mayBeNamed = (axis: number) => sized === undefined || (sized === "rows" && axis === 0);
  const inputs = shapes.map((shape, index) => {
    const declared = shape.map((length, axis) => (length === named && mayBeNamed(axis) ? "n" : length));
    return graph.input(`x${index}`, dataType, declared);
  });
  const output = apply(graph, inputs);
  const weights = graph.input("weights", dataType, output.shape);
  const loss = graph.reduceSum(graph.mul(output, weights));
  const slopes = gradients(graph, loss, inputs);
  graph.output("loss", loss);
  for (const [index, slope] of slopes.entries()) graph.output(`slope${index}`, slope);

  const random = new Random(seed);
  const drawn = (shape: Shape, [low, high]: readonly [number, number]): RuntimeTensor => {
    const length = shape.reduce((a, b) => a * b, 1);
    const order = random.permutation(length);
    const number = (_: unknown, index: number) =>
      distinct ? low + ((high - low) * (order[index] + 0.5)) / length : awayFromZero(random, low, high);
    return dataType === "FP64"
      ? { dataType, shape, elements: Float64Array.from({ length }, number) }
      : { dataType, shape, elements: Float32Array.from({ length }, number) };
  };
  const feeds: RuntimeTensors = {
    ...Object.fromEntries(shapes.map((shape, index) => [`x${index}`, drawn(shape, range)])),
    weights: drawn(
      output.shape.map((length) => (length === "n" ? Number(named) : Number(length))),
      [-1, 1],
    ),
  };
  const session = await openSession(writeModel(modelOf(graph.graph())), 1);
  const [step, tolerance] = dataType === "FP64" ? [1e-5, 1e-6] : [1 / 64, 1e-3];
  try {
    const { loss: _loss, ...found } = await session.run(feeds);
    for (const [index, shape] of shapes.entries()) {
      expect(found[`slope${index}`].shape, "the gradient has its input's shape").to.deep.equal(shape);
      const { elements } = feeds[`x${index}`];
      for (let place = 0; place < elements.length; place++) {
        const expected = await difference(
          elements,
          place,
          step,
          async () => (await session.run(feeds)).loss.elements[0],
        );
        const given = found[`slope${index}`].elements[place];
        expect(given, `input ${index}, element ${place}`).to.be.closeTo(
          expected,
          tolerance * Math.max(1, Math.abs(expected)),
        );
      }
    }
  } finally {
    await session.release();
  }
}

async function difference(
  elements: RuntimeTensor["elements"],
  place: number,
  step: number,
  loss: () => Promise<number>,
): Promise<number> {
  const kept = elements[place];
  elements[place] = kept + step;
  const above = await loss();
  elements[place] = kept - step;
  const below = await loss();
  elements[place] = kept;
  return (above - below) / (2 * step);
}

/** Uniform, but not within 0.01 of zero, where Relu and Where have their kinks. */
function awayFromZero(random: Random, low: number, high: number): number {
  const drawn = low + (high - low) * random.uniform();
  return Math.abs(drawn) < 0.01 ? drawn + 0.02 : drawn;
}
