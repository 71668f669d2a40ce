import { expect } from "chai";
import { float, string } from "../../lib/onnx/attributes.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Graph, Node, Value } from "../../lib/onnx/graph.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { subgraphsOf } from "../../lib/onnx/uses.ts";
import { openSession } from "../../services/trainer/engine/runtime.ts";
import { gradients } from "../../services/trainer/graph/gradients.ts";
import { withSharedAreas } from "../../services/trainer/graph/shared-areas.ts";

describe("a Gelu and its gradient", () => {
  it("take erf once, and give what they give apart, inside of a Loop too", async () => {
    const apart = learning((graph, x) =>
      graph.node("Gelu", [graph.mul(graph.node("Gelu", [x]), graph.scalar(3, "FP32"))]),
    );
    const shared = withSharedAreas(apart);
    expect(count(apart, "Gelu")).to.equal(2);
    expect(count(shared, "Gelu")).to.equal(0);
    expect(count(shared, "Erf")).to.equal(count(apart, "Erf"));
    const [before, after] = [await run(apart), await run(shared)];
    for (const [name, elements] of Object.entries(before)) {
      for (const [place, element] of elements.entries()) {
        expect(after[name]![place], `${name}[${place}]`).to.be.closeTo(element, 1e-6 * (1 + Math.abs(element)));
      }
    }
  });

  it("take it once, too, where it is there before the Gelu or for two of one x", async () => {
    const twice = learning((graph, x) => graph.add(graph.node("Gelu", [x]), graph.node("Gelu", [x])));
    expect(count(withSharedAreas(withSharedAreas(twice)), "Mul")).to.equal(count(withSharedAreas(twice), "Mul"));
    expect(Object.keys(await run(withSharedAreas(twice)))).to.have.length(2);
    const graph = new GraphBuilder("before");
    const x = graph.input("x", "FP32", [64]);
    const half = { alpha: float(0.5), beta: float(0.5) };
    const area = graph.node(
      "HardSigmoid",
      [graph.node("Erf", [graph.mul(x, graph.scalar(Math.SQRT1_2, "FP32"))])],
      half,
    );
    graph.output("y", graph.add(area, graph.node("Gelu", [x])));
    const [before, after] = [await run(graph.graph()), await run(withSharedAreas(graph.graph()))];
    for (const [place, element] of before.y!.entries()) expect(after.y![place]).to.be.closeTo(element, 1e-5);
  });

  it("stay apart where the Gelu is an approximation, or has no gradient", () => {
    const approximate = { approximate: string("tanh") };
    const byTanh = learning((graph, x) => graph.node("Gelu", [x], approximate));
    expect(withSharedAreas(byTanh)).to.deep.equal(byTanh);
    const graph = new GraphBuilder("served");
    graph.output("y", graph.node("Gelu", [graph.input("x", "FP32", [4])]));
    expect(withSharedAreas(graph.graph())).to.deep.equal(graph.graph());
  });
});

/** What is made of `x`, and the gradient of the sum of its squares. */
function learning(made: (graph: GraphBuilder, x: Value) => Value): Graph {
  const graph = new GraphBuilder("learning");
  const x = graph.input("x", "FP32", [64]);
  const { scanned } = graph.loop(graph.scalar(1, "INT64"), 1, [], (inner) => {
    const y = made(inner, x);
    return { carried: [], scanned: [y, ...gradients(inner, inner.reduceSum(inner.mul(y, y)), [x])] };
  });
  for (const [index, value] of scanned.entries()) graph.output(`given.${index}`, value);
  return graph.graph();
}

function count({ nodes }: Graph, operator: string): number {
  const inside = (node: Node) => subgraphsOf(node).reduce((sum, graph) => sum + count(graph, operator), 0);
  return nodes.reduce((sum, node) => sum + (node.operator === operator ? 1 : 0) + inside(node), 0);
}

async function run(graph: Graph): Promise<Readonly<Record<string, readonly number[]>>> {
  const elements = Float32Array.from({ length: 64 }, (_, place) => (place - 32) / 4);
  const session = await openSession(writeModel(modelOf(graph)), 1);
  const found = await session.run({ x: { dataType: "FP32", shape: [64], elements } }).finally(() => session.release());
  return Object.fromEntries(Object.entries(found).map(([name, { elements }]) => [name, [...elements]]));
}
