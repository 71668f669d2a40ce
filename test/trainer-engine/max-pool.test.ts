import { expect } from "chai";
import fc from "fast-check";
import { int, ints } from "../../lib/onnx/attributes.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Attributes, Graph, Shape } from "../../lib/onnx/graph.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { product } from "../../lib/onnx/shapes.ts";
import { Random } from "../../lib/random.ts";
import { openSession, type RuntimeTensors } from "../../services/trainer/engine/runtime.ts";
import { gradients } from "../../services/trainer/graph/gradients.ts";
import { trainedMaxPool } from "../../services/trainer/graph/max-pool.ts";

const between = (min: number, max: number) => fc.integer({ min, max });

describe("a MaxPool that is trained through", () => {
  it("gives what the operator gives behind a Conv and a Relu, and its gradients, whatever the sizes and windows", async function () {
    this.timeout(60_000);
    const cases = fc.integer({ min: 1, max: 2 }).chain((axes) => {
      const perAxis = (min: number, max: number) => fc.array(between(min, max), { minLength: axes, maxLength: axes });
      return fc.record({
        channels: between(1, 4),
        outputs: between(1, 5),
        places: perAxis(7, 12),
        taps: perAxis(1, 5),
        pads: fc.array(between(0, 2), { minLength: 2 * axes, maxLength: 2 * axes }),
        pool: perAxis(1, 3),
        hasBias: fc.boolean(),
        isBent: fc.boolean(),
      });
    });
    await fc.assert(
      fc.asyncProperty(cases, async (given) => {
        const [plain, trained] = [await results(pooling(given, false)), await results(pooling(given, true))];
        for (const [index, elements] of plain.entries()) {
          const scale = Math.max(1, ...elements.map(Math.abs));
          const errors = elements.map((element, place) => Math.abs(trained[index]![place]! - element));
          expect(trained[index]).to.have.length(elements.length);
          expect(Math.max(...errors) / scale).to.be.below(1e-4);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("gives the gradient to the first of equal ones", async () => {
    const graph = new GraphBuilder("equal");
    const x = graph.input("x", "FP32", [1, 1, 2, 2]);
    const itself = graph.constant("FP32", [1, 1, 3, 3], [0, 0, 0, 0, 1, 0, 0, 0, 0]);
    const y = trainedMaxPool(graph, graph.node("Conv", [x, itself], { pads: ints([1, 1, 1, 1]) }), tiles([2, 2]), {});
    graph.output("slope", gradients(graph, graph.reduceSum(y), [x])[0]!);
    expect(operatorsOf(graph.graph())).to.not.include("MaxPool");
    expect(await results(graph.graph(), () => 3)).to.deep.equal([[1, 0, 0, 0]]);
  });

  it("has places under a window as channels where a Conv of few channels walks step by step, and windows lie side by side", () => {
    const isJoined = (
      { x = [1, 28, 28] as Shape, weight = [6, 1, 5, 5], conv = {} as Attributes, isComposed = false },
      pool: Attributes = tiles([2, 2]),
    ) => {
      const graph = new GraphBuilder("pooling");
      const given = [graph.input("x", "FP32", ["rows", ...x]), graph.input("weight", "FP32", weight)];
      trainedMaxPool(graph, graph.node("Conv", given, conv), pool, { isComposed });
      return !operatorsOf(graph.graph()).includes("MaxPool");
    };
    expect(isJoined({})).to.equal(true);
    expect(isJoined({ x: [3, 27, 30], weight: [6, 3, 3, 3] })).to.equal(true);
    expect(isJoined({ x: [4, 28, 28], weight: [6, 4, 5, 5] })).to.equal(false);
    expect(isJoined({ x: [2, 28, 28], conv: { group: int(2) } })).to.equal(false);
    expect(isJoined({ conv: { strides: ints([1, 2]) } })).to.equal(false);
    expect(isJoined({ conv: { dilations: ints([2, 1]) } })).to.equal(false);
    expect(isJoined({ weight: [6, 1, 1, 1] })).to.equal(false);
    expect(isJoined({ isComposed: true })).to.equal(false);
    expect(isJoined({}, { ...tiles([3, 3]), strides: ints([2, 2]) })).to.equal(false);
    expect(isJoined({}, { ...tiles([2, 2]), pads: ints([1, 0, 0, 0]) })).to.equal(false);
    expect(isJoined({}, { ...tiles([2, 2]), pads: ints([0, 0, 0, 1]) })).to.equal(false);
    expect(isJoined({}, { ...tiles([2, 2]), dilations: ints([1, 2]) })).to.equal(false);
  });
});

interface Pooling {
  readonly channels: number;
  readonly outputs: number;
  readonly places: readonly number[];
  readonly taps: readonly number[];
  readonly pads: readonly number[];
  readonly pool: readonly number[];
  readonly hasBias: boolean;
  readonly isBent: boolean;
}

/** What a pool gives, and the gradients of a loss of it with respect to all that is put in. */
function pooling(given: Pooling, isTrained: boolean): Graph {
  const { channels, outputs, places, taps, pads, pool, hasBias, isBent } = given;
  const graph = new GraphBuilder("pooling");
  const inputs = [
    graph.input("x", "FP32", [2, channels, ...places]),
    graph.input("weight", "FP32", [outputs, channels, ...taps]),
  ];
  if (hasBias) inputs.push(graph.input("bias", "FP32", [outputs]));
  const convolved = graph.node("Conv", inputs, { pads: ints(pads) });
  const x = isBent ? graph.relu(convolved) : convolved;
  const y = isTrained ? trainedMaxPool(graph, x, tiles(pool), {}) : graph.node("MaxPool", [x], tiles(pool));
  const loss = graph.reduceSum(graph.mul(y, graph.tanh(y)));
  for (const value of [y, ...gradients(graph, loss, inputs)]) graph.output("result", value);
  return graph.graph();
}

/** Windows side by side. */
function tiles(sizes: readonly number[]): Attributes {
  return { kernel_shape: ints(sizes), strides: ints(sizes) };
}

function operatorsOf({ nodes }: Graph): readonly string[] {
  return nodes.map(({ operator }) => operator);
}

/** What comes out of numbers that are drawn. */
async function results(graph: Graph, drawn = numbers()): Promise<readonly (readonly number[])[]> {
  const inputs = graph.inputs.map(({ name, shape }) => {
    const elements = Float32Array.from({ length: product(shape) }, drawn);
    return [name, { dataType: "FP32", shape, elements }] as const;
  });
  const session = await openSession(writeModel(modelOf(graph)), 1);
  const outputs = await session.run(Object.fromEntries(inputs) as RuntimeTensors);
  await session.release();
  return Object.values(outputs).map(({ elements }) => [...elements]);
}

function numbers(): () => number {
  const random = new Random(5, "pooling");
  return () => random.uniform() - 0.5;
}
