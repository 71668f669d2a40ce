import { expect } from "chai";
import fc from "fast-check";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { modelOf } from "../../lib/onnx/export.ts";
import type { Shape } from "../../lib/onnx/graph.ts";
import { writeModel } from "../../lib/onnx/model.ts";
import { broadcastShape, reducedShape, resolvedShape } from "../../lib/onnx/shapes.ts";

describe("a graph builder", () => {
  it("writes the same bytes for the same calls", () => {
    const bytes = () => {
      const graph = new GraphBuilder("twice");
      const x = graph.input("x", "FP32", ["n", 4]);
      graph.output("y", graph.softmax(graph.mul(x, graph.scalar(2, "FP32"))));
      return writeModel(modelOf(graph.graph()));
    };
    expect(bytes()).to.deep.equal(bytes());
  });

  it("never gives two values the same name, subgraphs included", () => {
    const graph = new GraphBuilder("outer");
    const x = graph.input("add", "FP32", [2]);
    const names = [x.name, graph.add(x, x).name, graph.add(x, x).name];
    graph.loop(graph.scalar(3, "INT64"), 3, [x], (inner, _iteration, [carried]) => {
      const next = inner.add(carried, x);
      names.push(carried.name, next.name);
      return { carried: [next], scanned: [] };
    });
    names.push(...graph.nodes.flatMap(({ outputs }) => outputs.map(({ name }) => name)));
    expect(new Set(names).size).to.equal(names.length - 2);
  });

  it("makes a file of the oldest operator set that has all its operators, subgraphs included", () => {
    const versions = (operator: "Exp" | "Gelu") => {
      const graph = new GraphBuilder("outer");
      graph.loop(graph.scalar(3, "INT64"), 3, [graph.input("x", "FP32", [2])], (inner, _iteration, [carried]) => ({
        carried: [inner.node(operator, [carried])],
        scanned: [],
      }));
      const { irVersion, opsetImport } = modelOf(graph.graph());
      return [opsetImport?.[0].version, irVersion];
    };
    expect([versions("Exp"), versions("Gelu")]).to.deep.equal([
      [18, 8],
      [20, 9],
    ]);
  });

  it("stores equal constants once", () => {
    const graph = new GraphBuilder("constants");
    expect(graph.scalar(1, "FP32")).to.equal(graph.scalar(1, "FP32"));
    expect(graph.scalar(1, "FP32")).to.not.equal(graph.scalar(1, "FP64"));
    expect(graph.constant("FP32", [1], [1])).to.not.equal(graph.scalar(1, "FP32"));
  });

  it("knows the shape of what it appends, with the names of dimensions", () => {
    const graph = new GraphBuilder("shapes");
    const x = graph.input("x", "FP32", ["batch", 3]);
    const w = graph.input("w", "FP32", [5, 3]);
    const shapes: Record<string, Shape> = {
      gemm: graph.gemm(x, w, undefined, { transposeB: true }).shape,
      transpose: graph.transpose(x, [1, 0]).shape,
      mean: graph.reduceMean(x, [-1], true).shape,
      best: graph.argMax(x, 1).shape,
      unsqueeze: graph.unsqueeze(x, [0, 3]).shape,
      reshape: graph.reshape(x, graph.shapeOf(x)).shape,
      expand: graph.expand(graph.scalar(1, "FP32"), graph.shapeOf(x)).shape,
    };
    expect(shapes).to.deep.equal({
      gemm: ["batch", 5],
      transpose: [3, "batch"],
      mean: ["batch", 1],
      best: ["batch"],
      unsqueeze: [1, "batch", 3, 1],
      reshape: ["batch", 3],
      expand: ["batch", 3],
    });
  });

  it("refuses operands that do not fit when the graph is built", () => {
    const graph = new GraphBuilder("misfits");
    const [a, b] = [graph.input("a", "FP32", ["n", 2]), graph.input("b", "FP32", ["m", 2])];
    expect(() => graph.add(a, b)).to.throw("[n,2] and [m,2] broadcast");
    expect(() => graph.matMul(a, b)).to.throw("inner sizes are equal, not 2 and m");
    expect(() => graph.add(a, graph.scalar(1, "FP64"))).to.throw("one data type, not FP32,FP64");
  });
});

describe("shapes", () => {
  const shape = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });

  it("broadcast with a part of themselves to themselves, from either side", () => {
    fc.assert(
      fc.property(shape, fc.nat(4), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), (full, dropped, shrunk) => {
        const part = full.slice(dropped).map((size, axis) => (shrunk[axis] ? 1 : size));
        expect(broadcastShape(full, part)).to.deep.equal(full);
        expect(broadcastShape(part, full)).to.deep.equal(full);
      }),
    );
  });

  it("reduced over all axes are scalars, or all ones where dimensions are kept", () => {
    fc.assert(
      fc.property(shape, (full) => {
        expect(reducedShape(full, undefined, false)).to.deep.equal([]);
        expect(reducedShape(full, undefined, true)).to.deep.equal(full.map(() => 1));
      }),
    );
  });

  it("can be flattened and cut along any axis", () => {
    fc.assert(
      fc.property(shape, (full) => {
        const count = full.reduce((a, b) => a * b, 1);
        expect(resolvedShape(full, [-1])).to.deep.equal([count]);
        expect(resolvedShape([count], [...full.slice(1), -1])).to.deep.equal([...full.slice(1), full[0] ?? 1]);
      }),
    );
  });

  it("keep their elements when reshaped", () => {
    expect(() => resolvedShape([2, 3], [4, -1])).to.throw("can be reshaped");
    expect(() => resolvedShape([2, 3], [5])).to.throw("can be reshaped");
    expect(() => resolvedShape([2, 3], [3])).to.throw("as many elements");
  });
});
