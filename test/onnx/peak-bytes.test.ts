import { expect } from "chai";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { sizeAt } from "../../lib/onnx/dimensions.ts";
import { peakBytes } from "../../lib/onnx/peak-bytes.ts";
import { runOrder } from "../../lib/onnx/run-order.ts";

const rows = new Map([["rows", 1000]]);
/** Bytes of a thousand numbers. */
const block = 4000;

describe("the most bytes that a graph's values take at once", () => {
  it("are those of a value and of what is made from it", () => {
    const graph = new GraphBuilder("chain");
    const x = graph.input("x", "FP32", ["rows"]);
    graph.output("y", graph.node("Cos", [graph.node("Sin", [graph.node("Cos", [x])])]));
    expect(peakBytes(graph.graph(), rows)).to.equal(2 * block);
  });

  it("count a value for as long as it will be used", () => {
    const graph = new GraphBuilder("kept");
    const first = graph.node("Sin", [graph.input("x", "FP32", ["rows"])]);
    const second = graph.node("Cos", [graph.node("Sin", [first])]);
    graph.output("y", graph.node("Where", [graph.greater(first, second), first, second]));
    expect(peakBytes(graph.graph(), rows)).to.equal(3 * block + 1000);
  });

  it("count no operand that an operator may write over", () => {
    const graph = new GraphBuilder("in place");
    const first = graph.node("Sin", [graph.input("x", "FP32", ["rows"])]);
    graph.output("y", graph.exp(graph.tanh(first)));
    expect(peakBytes(graph.graph(), rows)).to.equal(block);
  });

  it("count the same elements in another shape once", () => {
    const graph = new GraphBuilder("shown");
    const first = graph.node("Sin", [graph.input("x", "FP32", ["rows"])]);
    graph.output("y", graph.node("Cos", [graph.unsqueeze(first, [0])]));
    expect(peakBytes(graph.graph(), rows)).to.equal(2 * block);
  });

  it("hold what a Loop gives step by step until it is joined, and what its body takes", () => {
    const graph = new GraphBuilder("repeated");
    const x = graph.input("x", "FP32", ["rows"]);
    const { scanned } = graph.loop(graph.scalar(5, "INT64"), 5, [x], (body, _, [value]) => {
      const next = body.node("Cos", [body.node("Sin", [value])]);
      return { carried: [next], scanned: [body.node("Sin", [next])] };
    });
    graph.output("y", scanned[0]);
    // The value that is carried out and five that are joined, twice; the body holds three, and knows whether it goes on.
    expect(peakBytes(graph.graph(), rows)).to.equal((1 + 2 * 5 + 2) * block);
  });

  it("leave out values of which only a run knows the size", () => {
    const graph = new GraphBuilder("unknown");
    const x = graph.input("x", "FP32", []);
    graph.output("y", graph.expand(graph.node("Sin", [x]), graph.input("shape", "INT64", [1])));
    expect(peakBytes(graph.graph(), rows)).to.equal(4);
  });
});

describe("the order in which the runtime takes the nodes of a graph", () => {
  it("goes back from the last that nothing uses, and takes the latest input of each first", () => {
    const graph = new GraphBuilder("order");
    const x = graph.input("x", "FP32", []);
    const [a, b] = [graph.exp(x), graph.log(x)];
    graph.output("early", graph.neg(a));
    graph.output("late", graph.add(a, b));
    const names = runOrder(graph.graph()).map(({ operator }) => operator);
    expect(names).to.deep.equal(["Log", "Exp", "Add", "Neg"]);
  });
});

describe("a size that has a name", () => {
  const known = new Map([
    ["rows", 10],
    ["n", 7],
  ]);
  for (const [size, number] of [
    [3, 3],
    ["rows", 10],
    ["(3 · rows)", 30],
    ["(n + rows + -2)", 15],
    ["(n / 2)", 4],
    ["(floor((n + 1) / 3) + 1)", 3],
    ["(ceil((2 · n) / 4) + 1)", 5],
    ["(4 · (floor(n / 2) + 1))", 16],
    ["other", undefined],
    ["(rows + other)", undefined],
    ["rows[0:5:2]", undefined],
  ] as const) {
    it(`${size} is ${number} where the sizes are known that it follows from`, () => {
      expect(sizeAt(size, known)).to.equal(number);
    });
  }
});
