import { expect } from "chai";
import fc from "fast-check";
import { int, ints } from "../../lib/onnx/attributes.ts";
import { withBlockedConvolutions } from "../../lib/onnx/blocked-convolutions.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Graph } from "../../lib/onnx/graph.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { product } from "../../lib/onnx/shapes.ts";
import { Random } from "../../lib/random.ts";
import { channelBlock, openSession, type RuntimeTensors } from "../../services/trainer/engine/runtime.ts";

/** A convolution and what its operands are. */
interface Case {
  readonly x: readonly number[];
  readonly weight: readonly number[];
  readonly hasBias: boolean;
  readonly group: number;
  readonly stride: number;
  readonly dilation: number;
  readonly pads: readonly number[];
}

const small = (most: number) => fc.integer({ min: 1, max: most });

describe("convolutions on blocks of channels", () => {
  it("give what the runtime's others give, whatever their windows, inside of a Loop too", async function () {
    this.timeout(60_000);
    const block = await channelBlock();
    if (block === undefined) this.skip();
    const cases = fc.record({
      x: fc.tuple(
        small(3),
        fc.oneof(
          small(3).map((blocks) => blocks * block),
          small(block - 1),
        ),
        fc.integer({ min: 24, max: 26 }),
        fc.integer({ min: 24, max: 26 }),
      ),
      outputs: small(3).map((blocks) => blocks * block),
      kernel: fc.constantFrom([3, 3], [1, 3], [5, 2]),
      hasBias: fc.boolean(),
      stride: small(2),
      dilation: small(2),
      pads: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 4, maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ outputs, kernel, x, ...given }) => {
        const graph = convolving({ ...given, x, weight: [outputs, x[1], ...kernel], group: 1 });
        const changed = withBlockedConvolutions(graph, block);
        const [plain, inBlocks] = [await run(graph), await run(changed)];
        expect(textOf(changed).includes("ReorderInput")).to.equal(x[1] >= block);
        expect(textOf(changed)).to.include("ReorderOutput");
        const errors = plain.map((value, place) => Math.abs(inBlocks[place]! - value));
        expect(Math.max(...errors)).to.be.below(1e-4);
      }),
      { numRuns: 15 },
    );
  });

  it("leave alone what has groups, one tap, few places or more channels that are no whole blocks, and weights that are constants", () => {
    const usual: Case = {
      x: [1, 32, 16, 16],
      weight: [32, 32, 3, 3],
      hasBias: false,
      group: 1,
      stride: 1,
      dilation: 1,
      pads: [1, 1, 1, 1],
    };
    const isChanged = (changes: Partial<Case>) =>
      textOf(withBlockedConvolutions(convolving({ ...usual, ...changes }), 16)).includes("Reorder");
    expect(isChanged({})).to.equal(true);
    expect(isChanged({ x: [1, 3, 16, 16], weight: [32, 3, 3, 3] })).to.equal(true);
    expect(isChanged({ group: 2, weight: [32, 16, 3, 3] })).to.equal(false);
    expect(isChanged({ weight: [32, 32, 1, 1] })).to.equal(false);
    expect(isChanged({ x: [1, 32, 7, 16] })).to.equal(false);
    expect(isChanged({ x: [1, 24, 16, 16], weight: [32, 24, 3, 3] })).to.equal(false);
    expect(isChanged({ weight: [24, 32, 3, 3] })).to.equal(false);
    const constant = new GraphBuilder("constant");
    const weight = constant.initializer("weight", "FP32", usual.weight, new Float32Array(product(usual.weight)));
    constant.output("y", constant.node("Conv", [constant.input("x", "FP32", usual.x), weight]));
    expect(textOf(withBlockedConvolutions(constant.graph(), 16))).to.not.include("Reorder");
  });
});

/** `y` of `x`, `weight` and `bias`, in a Loop of one iteration. */
function convolving({ x, weight, hasBias, group, stride, dilation, pads }: Case): Graph {
  const graph = new GraphBuilder("convolving");
  const given = [graph.input("x", "FP32", x), graph.input("weight", "FP32", weight)];
  if (hasBias) given.push(graph.input("bias", "FP32", [weight[0]!]));
  const attributes = {
    group: int(group),
    strides: ints([stride, stride]),
    dilations: ints([dilation, dilation]),
    pads: ints(pads),
  };
  const { scanned } = graph.loop(graph.scalar(1, "INT64"), 1, [], (inner) => ({
    carried: [],
    scanned: [inner.node("Conv", given, attributes)],
  }));
  graph.output("y", scanned[0]!);
  return graph.graph();
}

async function run(graph: Graph): Promise<readonly number[]> {
  const random = new Random(3, "convolutions");
  const inputs = graph.inputs.map(({ name, shape }) => {
    const elements = Float32Array.from({ length: product(shape) }, () => random.uniform() - 0.5);
    return [name, { dataType: "FP32", shape, elements }] as const;
  });
  const session = await openSession(writeModel(modelOf(graph)), 1);
  const { y } = await session.run(Object.fromEntries(inputs) as RuntimeTensors);
  await session.release();
  return [...y!.elements];
}

function textOf(graph: Graph): string {
  return Buffer.from(writeModel(modelOf(graph))).toString("latin1");
}
