import { expect } from "chai";
import fc from "fast-check";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import { withGatheredTransposes } from "../../lib/onnx/gathered-transposes.ts";
import type { Dimension, Graph, Node, Value } from "../../lib/onnx/graph.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { product } from "../../lib/onnx/shapes.ts";
import { subgraphsOf } from "../../lib/onnx/uses.ts";
import { openSession } from "../../services/trainer/engine/runtime.ts";

const rowCount = 3;

describe("transposes of long rows", () => {
  it("give what the runtime's own give, to the bit, split or whole, inside of a Loop too", async () => {
    const size = fc.integer({ min: 1, max: 5 });
    const cases = fc
      .record({
        rows: fc.constantFrom<Dimension>("rows", rowCount),
        between: fc.array(size, { minLength: 2, maxLength: 3 }),
        last: fc.constantFrom(16, 40),
        splitAxis: fc.integer({ min: 0, max: 3 }),
        isShown: fc.boolean(),
      })
      .chain((given) => {
        const axes = given.between.map((_, index) => index + 1);
        const orders = fc.shuffledSubarray(axes, { minLength: axes.length, maxLength: axes.length });
        return orders.map((order) => ({ ...given, perm: [0, ...order, axes.length + 1] }));
      });
    await fc.assert(
      fc.asyncProperty(cases, async ({ rows, between, last, splitAxis, perm, isShown }) => {
        const graph = looped([rows, ...between, last], (inner, x) => {
          const turned = inner.transpose(x, perm);
          const length = turned.shape[splitAxis];
          if (typeof length !== "number" || length < 2) return [turned];
          const parts = inner.split(turned, inner.sizes([1, length - 1]), splitAxis);
          return isShown ? [...parts, turned] : parts;
        });
        const gathered = withGatheredTransposes(graph);
        expect(operatorsIn(gathered)).to.not.include("Transpose");
        expect(await run(gathered)).to.deep.equal(await run(graph));
      }),
      { numRuns: 40 },
    );
  });

  it("are gathered part by part where all that takes them is a split of axes between", () => {
    const split = (axis: number) =>
      looped(["rows", 6, 4, 16], (inner, x) =>
        inner.split(inner.transpose(x, [0, 2, 1, 3]), inner.sizes([2, 2]), axis),
      );
    expect(operatorsIn(withGatheredTransposes(split(1))).filter((name) => name === "Gather")).to.have.length(2);
    expect(operatorsIn(withGatheredTransposes(split(1)))).to.not.include("Split");
    const last = looped(["rows", 6, 4, 16], (inner, x) =>
      inner.split(inner.transpose(x, [0, 2, 1, 3]), inner.sizes([8, 8]), 3),
    );
    expect(operatorsIn(withGatheredTransposes(last))).to.include("Split");
  });

  it("stay as they are where rows are short, change, or are of sizes that are not known", () => {
    const isChanged = (shape: readonly Dimension[], perm: readonly number[]) =>
      operatorsIn(withGatheredTransposes(looped(shape, (inner, x) => [inner.transpose(x, perm)]))).includes("Gather");
    expect(isChanged(["rows", 6, 4, 16], [0, 2, 1, 3])).to.equal(true);
    expect(isChanged(["rows", 6, 4, 15], [0, 2, 1, 3])).to.equal(false);
    expect(isChanged(["rows", 6, 4, 16], [0, 1, 3, 2])).to.equal(false);
    expect(isChanged([4, 6, 5, 16], [1, 0, 2, 3])).to.equal(false);
    expect(isChanged([4, "rows", 5, 16], [0, 2, 1, 3])).to.equal(false);
    expect(isChanged(["rows", 2 ** 9, 2 ** 9, 16], [0, 2, 1, 3]), "too many of them").to.equal(false);
    expect(isChanged(["rows", 4, 0, 16], [0, 2, 1, 3]), "none of them").to.equal(false);
  });
});

/** A graph that makes something of `x` inside of a Loop that runs once. */
function looped(shape: readonly Dimension[], made: (inner: GraphBuilder, x: Value) => readonly Value[]): Graph {
  const graph = new GraphBuilder("looped");
  const x = graph.input("x", "FP32", shape);
  const { scanned } = graph.loop(graph.scalar(1, "INT64"), 1, [], (inner) => ({
    carried: [],
    scanned: made(inner, x),
  }));
  for (const [index, value] of scanned.entries()) graph.output(`given.${index}`, value);
  return graph.graph();
}

function operatorsIn({ nodes }: Graph): readonly string[] {
  return nodes.flatMap((node: Node) => [node.operator, ...subgraphsOf(node).flatMap(operatorsIn)]);
}

async function run(graph: Graph) {
  const shape = graph.inputs[0]!.shape.map((size) => (typeof size === "number" ? size : rowCount));
  const elements = Float32Array.from({ length: product(shape) }, (_, place) => place);
  const session = await openSession(writeModel(modelOf(graph)), 2);
  return session.run({ x: { dataType: "FP32", shape, elements } }).finally(() => session.release());
}
