import { expect } from "chai";
import { refuseExternalData } from "../../lib/onnx/external-data.ts";
import { type ModelProto, readModel, type TensorProto, writeModel } from "../../lib/onnx/model.ts";

const inside: TensorProto = { name: "inside", dims: [1], dataType: 1, rawData: new Uint8Array(4) };
const outside: TensorProto = {
  name: "w",
  dims: [1],
  dataType: 1,
  dataLocation: 1,
  externalData: [{ key: "location", value: "weights.bin" }],
};

const model = (graph: object, more: object = {}): ModelProto =>
  readModel(
    writeModel({
      irVersion: 8,
      opsetImport: [{ domain: "", version: 18 }],
      graph: { name: "g", output: [{ name: "y", type: { tensorType: { elemType: 1 } } }], ...graph },
      ...more,
    } as ModelProto),
  );
const node = (attribute: object) => ({
  opType: "Constant",
  output: ["y"],
  attribute: [{ name: "value", ...attribute }],
});

describe("a model with data in other files", () => {
  for (const [where, graph, more] of [
    ["an initializer", { initializer: [inside, outside] }, {}],
    ["a location without a flag", { initializer: [{ ...outside, dataLocation: 0 }] }, {}],
    ["a flag without a location", { initializer: [{ ...outside, externalData: [] }] }, {}],
    ["a sparse initializer", { sparseInitializer: [{ values: outside, indices: inside, dims: [1] }] }, {}],
    ["an attribute", { node: [node({ type: 4, t: outside })] }, {}],
    ["a list attribute", { node: [node({ type: 9, tensors: [inside, outside] })] }, {}],
    ["a subgraph", { node: [node({ type: 5, g: { name: "sub", initializer: [outside] } })] }, {}],
    ["a function", {}, { functions: [{ name: "f", domain: "d", node: [node({ type: 4, t: outside })] }] }],
  ] as const) {
    it(`is refused for ${where}, by the name of the tensor`, () => {
      expect(() => refuseExternalData(model(graph, more))).to.throw('the tensor "w" keeps its data in another file');
    });
  }

  it("is told from one that holds everything", () => {
    const whole = { initializer: [inside], node: [node({ type: 4, t: inside })] };
    expect(() => refuseExternalData(model(whole))).not.to.throw();
  });
});
