import { expect } from "chai";
import fc from "fast-check";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import type { Graph, Node, Value } from "../../lib/onnx/graph.ts";
import { pruned } from "../../lib/onnx/pruned.ts";

describe("a pruned graph", () => {
  it("has the nodes and initializers that its outputs need, in their order, and all inputs and outputs", () => {
    const graph = new GraphBuilder("branches");
    const [x, unused] = [graph.input("x", "FP32", [2]), graph.input("unused", "FP32", [2])];
    const used = graph.mul(x, graph.scalar(2, "FP32"));
    graph.exp(graph.add(used, graph.scalar(3, "FP32")));
    graph.output("y", graph.exp(used));
    const { inputs, outputs, nodes, initializers } = pruned(graph.graph());
    expect(inputs).to.deep.equal([x, unused]);
    expect(outputs.map(({ name }) => name)).to.deep.equal(["y"]);
    expect(operatorsOf(nodes)).to.deep.equal(["Mul", "Exp"]);
    expect(initializers.map(({ elements }) => elements?.[0])).to.deep.equal([2]);
  });

  it("keeps a node whole of which one output is needed", () => {
    const graph = new GraphBuilder("parts");
    const [, second] = graph.split(graph.input("x", "FP32", [3]), graph.sizes([1, 2]), 0);
    graph.output("y", graph.exp(second));
    expect(pruned(graph.graph()).nodes[0].outputs).to.have.length(2);
  });

  it("keeps what only a subgraph uses, and drops what a subgraph does not need", () => {
    const graph = new GraphBuilder("outer");
    const x = graph.input("x", "FP32", [2]);
    const captured = graph.exp(x);
    graph.log(x);
    const { carried } = graph.loop(graph.scalar(3, "INT64"), 3, [x], (inner, _iteration, [value]) => {
      inner.sqrt(inner.log(x));
      return { carried: [inner.add(value, captured)], scanned: [] };
    });
    graph.output("y", carried[0]);
    const { nodes } = pruned(graph.graph());
    expect(operatorsOf(nodes)).to.deep.equal(["Exp", "Loop"]);
    const { body } = nodes[1].attributes;
    expect(operatorsOf((body.value as Graph).nodes)).to.deep.equal(["Add", "Identity"]);
  });

  it("is the same when it is pruned again, and every value that it uses is there before its use", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 20 }), fc.nat(), (operands, last) => {
        const graph = new GraphBuilder("random");
        const values: Value[] = [graph.input("x", "FP32", []), graph.scalar(2, "FP32")];
        for (const [a, b] of operands) values.push(graph.add(values[a % values.length], values[b % values.length]));
        graph.output("y", graph.identity(values[last % values.length]));
        const once = pruned(graph.graph());
        expect(pruned(once)).to.deep.equal(once);
        const there = new Set<Value>([...once.inputs, ...once.initializers]);
        for (const { inputs, outputs } of once.nodes) {
          for (const input of inputs) expect(there.has(input)).to.equal(true);
          for (const output of outputs) there.add(output);
        }
        expect(there.has(once.outputs[0])).to.equal(true);
      }),
    );
  });
});

function operatorsOf(nodes: readonly Node[]): string[] {
  return nodes.map(({ operator }) => operator);
}
