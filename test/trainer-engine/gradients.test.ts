import { expect } from "chai";
import fc from "fast-check";
import { ServiceError } from "../../lib/errors.ts";
import { string } from "../../lib/onnx/attributes.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Attributes } from "../../lib/onnx/graph.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { Random } from "../../lib/random.ts";
import {
  openSession,
  type RuntimeTensor,
  type RuntimeTensors,
  type Session,
} from "../../services/trainer/engine/runtime.ts";
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
        await fc.assert(run, { numRuns: Math.min(8, Math.max(3, Math.ceil(30 / variants.length))) });
      });
    }
  }
});

describe("the reverse walk", () => {
  it("refuses an operator without a rule, by node and with the operators that have one", () => {
    const graph = new GraphBuilder("counting");
    const x = graph.input("x", "FP32", []);
    const loss = graph.node("Range", [x, graph.scalar(3, "FP32"), graph.scalar(1, "FP32")]);
    expect(() => gradients(graph, graph.reduceSum(loss), [x])).to.throw(
      ServiceError,
      /the node Range \(Range\) has no gradient; .*Add/,
    );
  });

  it("refuses an attribute whose gradient is not supported, by node, with the value seen and those that are supported", () => {
    const graph = new GraphBuilder("scattering");
    const x = graph.input("x", "FP32", [3]);
    const most: Attributes = { reduction: string("max") };
    const loss = graph.reduceSum(
      graph.node("ScatterElements", [x, graph.sizes([1]), graph.constant("FP32", [1], [5])], most),
    );
    expect(() => gradients(graph, loss, [x])).to.throw(
      ServiceError,
      "the node ScatterElements (ScatterElements) has reduction max; its gradient needs none or add",
    );
  });

  it("refuses a parameter of integers", () => {
    const graph = new GraphBuilder("counts");
    const x = graph.input("layers.0.count", "INT64", []);
    expect(() => gradients(graph, graph.cast(x, "FP32"), [x])).to.throw(
      ServiceError,
      "the parameter layers.0.count is INT64; needed: a floating-point type",
    );
  });

  it("sees that the loss does not depend on what only an integer passes on", () => {
    const graph = new GraphBuilder("rounded");
    const x = graph.input("x", "FP32", []);
    const loss = graph.cast(graph.cast(x, "INT64"), "FP32");
    expect(() => gradients(graph, loss, [x])).to.throw(ServiceError, "the loss does not depend on the parameter x");
  });

  it("refuses control flow between a parameter and the loss, also where only its inside uses the parameter", () => {
    const graph = new GraphBuilder("repeating");
    const [x, start] = [graph.input("x", "FP32", []), graph.input("start", "FP32", [])];
    const { carried } = graph.loop(graph.scalar(3, "INT64"), 3, [start], (inner, _iteration, [value]) => ({
      carried: [inner.mul(value, x)],
      scanned: [],
    }));
    expect(() => gradients(graph, carried[0], [x])).to.throw(ServiceError, /the node Loop \(Loop\) is control flow/);
  });

  it("does not mind control flow that no parameter moves", () => {
    const graph = new GraphBuilder("apart");
    const [x, start] = [graph.input("x", "FP32", []), graph.input("start", "FP32", [])];
    const { carried } = graph.loop(graph.scalar(3, "INT64"), 3, [start], (inner, _iteration, [value]) => ({
      carried: [inner.exp(value)],
      scanned: [],
    }));
    expect(gradients(graph, graph.mul(carried[0], x), [x])).to.have.length(1);
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
  { range = [-1.5, 1.5], sized, distinct = false, dataType = "FP64", tolerance: wanted, apply, composed }: Case,
  shapes: readonly Shape[],
  named: number | undefined,
  seed: number,
): Promise<void> {
  const mayBeNamed = (input: number, axis: number) =>
    sized === undefined || (axis === 0 && (sized === "rows" || (sized === "batch" && input === 0)));
  const declared = shapes.map((shape, input) =>
    shape.map((length, axis) => (length === named && mayBeNamed(input, axis) ? "n" : length)),
  );
  const [derivedType, tolerance] =
    composed === undefined ? [dataType, wanted ?? tolerances[dataType]] : (["FP32", 1e-5] as const);
  const forward = await sessionOf(functionOf(composed ?? apply, declared, dataType));
  const derived = await sessionOf(slopesOf(apply, declared, derivedType));
  const random = new Random(seed);
  const inputs = shapes.map((shape) => drawn(random, shape, range, distinct));
  const outputOf = async () => (await forward.run(feedsOf(shapes, inputs, dataType))).output;
  try {
    const { shape, elements } = await outputOf();
    const weights = drawn(random, shape, [-1, 1], false);
    const found = await derived.run(feedsOf([...shapes, shape], [...inputs, weights], derivedType));
    expectClose(found.output, shape, [...elements], tolerance, "the output");
    for (const [index, input] of inputs.entries()) {
      const lossOf = async () => weighted((await outputOf()).elements, weights);
      const expected = await differences(input, dataType === "FP64" ? 1e-5 : 1 / 64, lossOf);
      expectClose(found[`slope${index}`], shapes[index], expected, tolerance, `the gradient of input ${index}`);
    }
  } finally {
    await Promise.all([forward.release(), derived.release()]);
  }
}

/** How far a gradient may be from the central differences that are found in a precision. */
const tolerances = { FP32: 1e-3, FP64: 1e-6 };

type Declared = readonly (readonly (number | string)[])[];

function functionOf(apply: Case["apply"], shapes: Declared, dataType: "FP32" | "FP64"): GraphBuilder {
  const graph = new GraphBuilder("function");
  const inputs = shapes.map((shape, index) => graph.input(`x${index}`, dataType, shape));
  graph.output("output", apply(graph, inputs));
  return graph;
}

/** The function and the gradients of its weighted sum; the weights are one more input. */
function slopesOf(apply: Case["apply"], shapes: Declared, dataType: "FP32" | "FP64"): GraphBuilder {
  const graph = new GraphBuilder("derived");
  const inputs = shapes.map((shape, index) => graph.input(`x${index}`, dataType, shape));
  const output = apply(graph, inputs);
  const weights = graph.input(`x${inputs.length}`, dataType, output.shape);
  const slopes = gradients(graph, graph.reduceSum(graph.mul(output, weights)), inputs);
  graph.output("output", graph.identity(output));
  for (const [index, slope] of slopes.entries()) graph.output(`slope${index}`, slope);
  return graph;
}

function sessionOf(graph: GraphBuilder): Promise<Session> {
  return openSession(writeModel(modelOf(graph.graph())), 1);
}

function feedsOf(shapes: readonly Shape[], inputs: readonly Float64Array[], dataType: "FP32" | "FP64"): RuntimeTensors {
  const feeds = inputs.map((elements, index): [string, RuntimeTensor] => {
    const shape = shapes[index];
    const tensor: RuntimeTensor =
      dataType === "FP64" ? { dataType, shape, elements } : { dataType, shape, elements: Float32Array.from(elements) };
    return [`x${index}`, tensor];
  });
  return Object.fromEntries(feeds);
}

/** The central difference of a function at each element. */
async function differences(elements: Float64Array, step: number, lossOf: () => Promise<number>): Promise<number[]> {
  const slopes: number[] = [];
  for (const [place, kept] of elements.entries()) {
    elements[place] = kept + step;
    const above = await lossOf();
    elements[place] = kept - step;
    slopes.push((above - (await lossOf())) / (2 * step));
    elements[place] = kept;
  }
  return slopes;
}

function weighted(elements: RuntimeTensor["elements"], weights: Float64Array): number {
  return weights.reduce((sum, weight, index) => sum + weight * elements[index], 0);
}

function expectClose(
  given: RuntimeTensor,
  shape: Shape,
  expected: readonly number[],
  tolerance: number,
  what: string,
): void {
  expect(given.shape, `the shape of ${what}`).to.deep.equal(shape);
  for (const [place, number] of expected.entries()) {
    const allowed = tolerance * Math.max(1, Math.abs(number));
    expect(given.elements[place], `${what}, element ${place}`).to.be.closeTo(number, allowed);
  }
}

/** Numbers in a range; distinct ones are spread evenly over it, in random order. */
function drawn(random: Random, shape: Shape, [low, high]: readonly [number, number], distinct: boolean): Float64Array {
  const length = shape.reduce((a, b) => a * b, 1);
  const order = random.permutation(length);
  return Float64Array.from({ length }, (_, index) =>
    distinct ? low + ((high - low) * (order[index] + 0.5)) / length : awayFromZero(random, low, high),
  );
}

/** Uniform, but not within 0.01 of zero, where Relu and Where have their kinks. */
function awayFromZero(random: Random, low: number, high: number): number {
  const drawn = low + (high - low) * random.uniform();
  return Math.abs(drawn) < 0.01 ? drawn + 0.02 : drawn;
}
