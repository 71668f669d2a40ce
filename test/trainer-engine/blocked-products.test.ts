import { expect } from "chai";
import fc from "fast-check";
import { withBlockedProducts } from "../../lib/onnx/blocked-products.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Dimension, Graph, Value } from "../../lib/onnx/graph.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { product } from "../../lib/onnx/shapes.ts";
import { Random } from "../../lib/random.ts";
import { channelBlock, openSession, type RuntimeTensors } from "../../services/trainer/engine/runtime.ts";
import { gradients } from "../../services/trainer/graph/gradients.ts";
import { dense } from "../../services/trainer/graph/layers/linear.ts";

const rowCount = 8;

/** Two dense layers over the last axis of `x` [rows, places, narrow], the first with `wide` outputs, and their gradients. */
interface Case {
  readonly rows: Dimension;
  readonly places: number;
  readonly narrow: number;
  readonly wide: number;
  readonly hasBias: boolean;
  readonly bend: (graph: GraphBuilder, value: Value) => Value;
}

const usual: Case = {
  rows: "rows",
  places: 32,
  narrow: 128,
  wide: 256,
  hasBias: true,
  bend: (graph, x) => graph.tanh(x),
};
const bends: readonly Case["bend"][] = [
  (graph, x) => graph.node("Gelu", [x]),
  (graph, x) => graph.mul(graph.sigmoid(x), graph.scalar(3, "FP32")),
  (graph, x) => graph.relu(x),
  (graph, x) => graph.softmax(x),
  (graph, x) => graph.reshape(graph.tanh(x), graph.sizes([-1, Number(x.shape.at(-1))])),
  (_, x) => x,
];

describe("products on blocks of channels", () => {
  it("give what the runtime's others give, and so do all that stands between them, inside of a Loop too", async function () {
    this.timeout(60_000);
    const block = await channelBlock();
    if (block === undefined) this.skip();
    const blocks = (least: number, most: number) => fc.integer({ min: least, max: most }).map((count) => 16 * count);
    const cases = fc.record({
      rows: fc.constantFrom("rows", rowCount),
      places: blocks(1, 3),
      narrow: blocks(8, 10),
      wide: blocks(8, 17),
      hasBias: fc.boolean(),
      bend: fc.constantFrom(...bends),
    });
    await fc.assert(
      fc.asyncProperty(cases, async (given) => {
        const graph = learning(given);
        const [plain, inBlocks] = [await run(graph), await run(withBlockedProducts(graph, block))];
        for (const [name, elements] of Object.entries(plain)) {
          const largest = Math.max(...elements.map(Math.abs));
          const errors = elements.map((element, place) => Math.abs(inBlocks[name]![place]! - element));
          expect(Math.max(...errors), name).to.be.below(1e-5 * largest + 1e-9);
        }
      }),
      { numRuns: 25 },
    );
  });

  it("put in order only the narrow matrices, the weights and their gradients", () => {
    const changed = withBlockedProducts(learning(usual, false), 16);
    const ordered = bodyOf(changed).nodes.filter(
      ({ operator }) => operator === "ReorderInput" || operator === "ReorderOutput",
    );
    for (const { inputs, outputs } of ordered) {
      const { shape } = [...inputs, ...outputs].find(({ name }) => name.includes("matrix"))!;
      expect(shape.filter((size) => typeof size === "string" || size === usual.wide).length, `${shape}`).to.be.below(2);
    }
    expect(bodyOf(changed).nodes.filter(({ operator }) => operator === "Gemm")).to.deep.equal([]);
  });

  it("leave alone what is small, of rows that are no whole blocks, or of constants", () => {
    const isChanged = (changes: Partial<Case>) =>
      textOf(withBlockedProducts(learning({ ...usual, ...changes }), 16)).includes("Reorder");
    expect(isChanged({})).to.equal(true);
    expect(isChanged({ narrow: 64 })).to.equal(false);
    expect(isChanged({ wide: 250 })).to.equal(false);
    expect(isChanged({ places: 24 })).to.equal(false);
    expect(isChanged({ rows: 2, places: 32 }), "64 rows").to.equal(false);
    const constant = new GraphBuilder("constant");
    const weight = constant.initializer("weight", "FP32", [256, 128], new Float32Array(256 * 128));
    constant.output(
      "y",
      constant.tanh(constant.gemm(constant.input("x", "FP32", [128, 128]), weight, undefined, { transposeB: true })),
    );
    expect(textOf(withBlockedProducts(constant.graph(), 16))).to.not.include("Reorder");
  });
});
/** What the layers give and, where `isShown`, what is between them; then the gradients. */
function learning({ rows, places, narrow, wide, hasBias, bend }: Case, isShown = true): Graph {
  const graph = new GraphBuilder("learning");
  const x = graph.input("x", "FP32", [rows, places, narrow]);
  const weights = [graph.input("up", "FP32", [wide, narrow]), graph.input("down", "FP32", [narrow, wide])] as const;
  const biases = hasBias ? [graph.input("risen", "FP32", [wide]), graph.input("fallen", "FP32", [narrow])] : [];
  const { scanned } = graph.loop(graph.scalar(1, "INT64"), 1, [], (inner) => {
    const bent = bend(inner, dense(inner, x, weights[0], biases[0]));
    const y = dense(inner, inner.reshape(bent, inner.sizes([-1, places, wide])), weights[1], biases[1]);
    const loss = inner.reduceMean(inner.mul(y, y));
    return {
      carried: [],
      scanned: [y, ...(isShown ? [bent] : []), ...gradients(inner, loss, [x, ...weights, ...biases])],
    };
  });
  for (const [index, value] of scanned.entries()) graph.output(`given.${index}`, value);
  return graph.graph();
}

function bodyOf({ nodes }: Graph): Graph {
  const body = nodes.find(({ operator }) => operator === "Loop")!.attributes.body!;
  return body.value as Graph;
}

async function run(graph: Graph): Promise<Readonly<Record<string, readonly number[]>>> {
  const random = new Random(3, "products");
  const inputs = graph.inputs.map(({ name, shape }) => {
    const sizes = shape.map((size) => (typeof size === "number" ? size : rowCount));
    const elements = Float32Array.from({ length: product(sizes) }, () => random.uniform() - 0.5);
    return [name, { dataType: "FP32", shape: sizes, elements }] as const;
  });
  const session = await openSession(writeModel(modelOf(graph)), 1);
  const outputs = await session.run(Object.fromEntries(inputs) as RuntimeTensors);
  await session.release();
  return Object.fromEntries(Object.entries(outputs).map(([name, { elements }]) => [name, [...elements]]));
}

function textOf(graph: Graph): string {
  return Buffer.from(writeModel(modelOf(graph))).toString("latin1");
}
