import { readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { ServiceError } from "../../lib/errors.ts";
import { int } from "../../lib/onnx/attributes.ts";
import { GraphBuilder } from "../../lib/onnx/builder.ts";
import { elementTypes } from "../../lib/onnx/element-type.ts";
import { attributeProto, modelOf, modelProtoOf } from "../../lib/onnx/export.ts";
import { readGraph } from "../../lib/onnx/graph-reader.ts";
import type { GraphProto, ModelProto, NodeProto, ValueInfoProto } from "../../lib/onnx/model.ts";
import { readModel } from "../../lib/onnx/model.ts";
import { fileOf } from "../repository.ts";
import { appendedGraph } from "./appended-model.ts";
import { type Given, outputsOf } from "./running-model.ts";

const folder = fileOf("test/fixtures/exported-torch");
const files = readdirSync(folder).filter((name) => name.endsWith(".onnx"));
const exported = files.map((name) => [name, readModel(readFileSync(`${folder}/${name}`))] as const);

const rows = 3;

describe("a graph that was read and is appended to another one", () => {
  for (const [name, model] of exported) {
    it(`has a known shape for every value, with the rows that it is given: ${name}`, () => {
      const { nodes, outputs } = appendedGraph(model, { batch: "rows", s77: "rows" });
      expect(nodes.flatMap((node) => node.outputs).filter(({ unknown }) => unknown !== undefined)).to.deep.equal([]);
      expect(outputs.map(({ shape }) => shape)).to.deep.equal([["rows", 3]]);
    });
  }

  for (const [name, model] of exported.filter(([name]) => !/training|learner/.test(name))) {
    it(`gives to the last bit what the file gives, as does the file when it is written again: ${name}`, async () => {
      const inputs = { x: inputOf(model) };
      const { scores } = await outputsOf(model, inputs);
      expect(await outputsOf(modelOf(appendedGraph(model)), inputs)).to.deep.equal({ scores });
      expect(await outputsOf(modelProtoOf(readGraph(model)), inputs)).to.deep.equal({ scores });
    });
  }

  for (const [name, model] of exported.filter(([name]) => !/training|learner/.test(name))) {
    it(`has of every value the shape that the runtime gives it: ${name}`, async () => {
      const graph = appendedGraph(model, { batch: "rows", s77: "rows" });
      const values = graph.nodes.flatMap(({ outputs }) => outputs.filter(({ name }) => name !== ""));
      const given = await outputsOf(modelOf({ ...graph, outputs: values }), { x: inputOf(model) });
      for (const { name, dataType, shape } of values) {
        const known = shape.map((size) => (size === "rows" ? rows : size));
        const seen = given[name]!.shape.map((size, axis) => (typeof known[axis] === "string" ? known[axis] : size));
        expect([given[name]!.dataType, seen], name).to.deep.equal([dataType, known]);
      }
    });
  }

  it("has fewer nodes where constants are folded", () => {
    const [, model] = exported.find(([name]) => name === "tokens-traced-17.onnx")!;
    expect(appendedGraph(model).nodes.length).to.be.lessThan(model.graph!.node!.length / 2);
  });

  it("keeps subgraphs that use values around them, under names that are unique", async () => {
    const branch = (operator: string): GraphProto => ({
      name: operator,
      node: [node(operator, ["x", "one"], ["inner"])],
      output: [{ name: "inner" }],
    });
    const choice = node("If", ["isLarge"], ["y"]);
    const attribute = [
      { name: "then_branch", type: 5, g: branch("Add") },
      { name: "else_branch", type: 5, g: branch("Sub") },
    ];
    const model = modelFrom({
      node: [node("Neg", ["minusOne"], ["one"]), { ...choice, attribute }],
      initializer: [{ name: "minusOne", dims: [], dataType: 1, floatData: [-1] }],
      input: [info("x", elementTypes.FP32, [2]), info("isLarge", elementTypes.BOOL, [])],
      output: [info("y", elementTypes.FP32, [2])],
    });
    const given = (isLarge: number) => ({
      x: { dataType: "FP32", shape: [2], elements: Float32Array.of(1, 2) } as const,
      isLarge: { dataType: "BOOL", shape: [], elements: Uint8Array.of(isLarge) } as const,
    });
    const graph = appendedGraph(model);
    for (const isLarge of [0, 1]) {
      expect(await outputsOf(modelOf(graph), given(isLarge))).to.deep.equal(await outputsOf(model, given(isLarge)));
    }
    expect(graph.nodes.map(({ operator }) => operator)).to.deep.equal(["If"]);
  });

  it("has the body of each function that it calls, with the attributes and inputs of the call", async () => {
    const called = {
      domain: "ours",
      name: "Scaled",
      input: ["x", "bias"],
      output: ["y"],
      attribute: ["axis"],
      attributeProto: [attributeProto("factor", { kind: "float", value: 3 })],
      opsetImport: [{ domain: "", version: 18 }],
      node: [
        { ...node("Constant", [], ["factor"]), attribute: [{ name: "value_float", type: 1, refAttrName: "factor" }] },
        node("Mul", ["x", "factor"], ["scaled"]),
        node("Clip", ["scaled", "bias"], ["clipped"]),
        { ...node("Softmax", ["clipped"], ["y"]), attribute: [{ name: "axis", type: 2, refAttrName: "axis" }] },
      ],
    };
    const call = { ...node("Scaled", ["x"], ["y"]), domain: "ours", attribute: [attributeProto("axis", int(0))] };
    const graph = { node: [call], input: [info("x", 1, [2, 2])], output: [info("y", 1, [2, 2])] };
    const opsetImport = [
      { domain: "", version: 18 },
      { domain: "ours", version: 1 },
    ];
    const model = { ...modelFrom(graph), opsetImport, functions: [called] };
    const x: Given = { dataType: "FP32", shape: [2, 2], elements: Float32Array.of(1, 2, 3, 5) };
    const appended = appendedGraph(model);
    expect(appended.nodes.map(({ operator }) => operator)).to.deep.equal(["Mul", "Clip", "Softmax"]);
    expect(await outputsOf(modelOf(appended), { x })).to.deep.equal(await outputsOf(model, { x }));
  });

  it("refuses functions that call themselves", () => {
    const call = { ...node("Again", ["x"], ["y"]), domain: "ours" };
    const opsetImport = [{ domain: "ours", version: 1 }];
    const called = { domain: "ours", name: "Again", input: ["x"], output: ["y"], opsetImport, node: [call] };
    const graph = { node: [call], input: [info("x", 1, [2])], output: [info("y", 1, [2])] };
    const model = { ...modelFrom(graph), opsetImport, functions: [called] };
    expect(() => appendedGraph(model)).to.throw(ServiceError, "the function Again is called more than 32 deep");
  });

  it("knows of operators that are not ours what the file tells, and says what it does not", () => {
    const nodes = [
      { ...node("Twisted", ["x"], ["a"]), domain: "ours" },
      node("Relu", ["a"], ["b"]),
      { ...node("Turned", ["b"], ["c"]), domain: "ours" },
      node("Relu", ["c"], ["y"]),
    ];
    const types = { input: [info("x", 1, ["n", 2])], output: [{ name: "y" }], valueInfo: [info("a", 1, ["n", 4])] };
    const opsetImport = [
      { domain: "", version: 18 },
      { domain: "ours", version: 7 },
    ];
    const graph = appendedGraph({ ...modelFrom({ node: nodes, ...types }), opsetImport }, { n: "rows" });
    const seen = graph.nodes.map(({ outputs: [output] }) => output!.unknown ?? output!.shape);
    const unknown = "nothing is known of the operator Turned";
    expect(seen).to.deep.equal([["rows", 4], ["rows", 4], unknown, unknown]);
    expect(modelOf(graph).opsetImport).to.deep.equal(opsetImport);
  });

  it("is of an operator set whose meaning is known", () => {
    const model = modelFrom({
      node: [node("Relu", ["x"], ["y"])],
      input: [info("x", 1, [2])],
      output: [info("y", 1, [2])],
    });
    for (const version of [12, 27]) {
      const refused = () => appendedGraph({ ...model, opsetImport: [{ domain: "", version }] });
      expect(refused).to.throw(ServiceError, `the model is of ONNX's operator set ${version}; needed: 13 to 26`);
    }
  });

  it("says of what it uses where nothing gives that", () => {
    const graph = { node: [node("Add", ["x", "z"], ["y"])], input: [info("x", 1, [2])], output: [info("y", 1, [2])] };
    expect(() => appendedGraph(modelFrom(graph))).to.throw(
      ServiceError,
      'the node "Add" (Add) uses "z", which no input, initializer or node before it gives',
    );
  });

  it("lets a graph around it fold what follows from its initializers", () => {
    const graph = new GraphBuilder("folding");
    const sizes = graph.concat([graph.sizes([2]), graph.mul(graph.sizes([3]), graph.sizes([4]))], 0);
    expect(Array.from(sizes.elements!, Number)).to.deep.equal([2, 12]);
  });
});

function inputOf({ graph }: ModelProto): Given {
  const { elemType, shape } = graph!.input![0]!.type!.tensorType!;
  const dims = [rows, ...shape!.dim!.slice(1).map(({ dimValue }) => Number(dimValue))];
  const count = dims.reduce((product, size) => product * size, 1);
  if (elemType === elementTypes.INT64) {
    return {
      dataType: "INT64",
      shape: dims,
      elements: BigInt64Array.from({ length: count }, (_, index) => BigInt(index % 11)),
    };
  }
  return {
    dataType: "FP32",
    shape: dims,
    elements: Float32Array.from({ length: count }, (_, index) => Math.sin(index)),
  };
}

function node(opType: string, input: string[], output: string[]): NodeProto {
  return { name: opType, opType, input, output };
}

function info(name: string, elemType: number, shape: readonly (number | string)[]): ValueInfoProto {
  const dim = shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

function modelFrom(graph: GraphProto): ModelProto {
  return { irVersion: 8, opsetImport: [{ domain: "", version: 18 }], graph: { name: "graph", ...graph } };
}
