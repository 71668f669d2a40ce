import { expect } from "chai";
import { checkExternalFiles, externalLocations, isExternalLocation } from "../../lib/onnx/external-data.ts";
import { type ModelProto, readModel, type TensorProto, writeModel } from "../../lib/onnx/model.ts";

const at = (location: string, name = "w"): TensorProto => ({
  name,
  dims: [1],
  dataType: 1,
  dataLocation: 1,
  externalData: [
    { key: "location", value: location },
    { key: "offset", value: "4" },
  ],
});
const inside: TensorProto = { name: "inside", dims: [1], dataType: 1, rawData: new Uint8Array(4) };
const outside = at("weights.bin");

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

describe("the external files of a model", () => {
  it("are found in files of any size: long lists of numbers and of nodes are no parts, or many", () => {
    const numbers = { name: "n", dims: [200_000], dataType: 7, int64Data: new Array(200_000).fill(1) };
    const nodes = Array.from({ length: 130_000 }, () => ({ opType: "Identity", input: ["x"], output: ["y"] }));
    expect([...externalLocations(model({ initializer: [numbers, outside], node: nodes })).keys()]).to.deep.equal([
      "weights.bin",
    ]);
  });

  it("are those of its initializers, each with a tensor that is there", () => {
    const initializer = [at("weights/a.bin", "a"), inside, at("b.bin", "b"), at("weights/a.bin", "c")];
    expect([...externalLocations(model({ initializer })).keys()]).to.have.members(["weights/a.bin", "b.bin"]);
    expect(externalLocations(model({ initializer })).get("b.bin")).to.equal("b");
    expect(externalLocations(model({ initializer: [inside] })).size).to.equal(0);
  });

  it("have to be among the given ones", () => {
    const needy = model({ initializer: [at("a.bin", "a"), at("b.bin", "b")] });
    expect(() => checkExternalFiles(needy, ["b.bin", "a.bin", "c.bin"])).not.to.throw();
    expect(() => checkExternalFiles(needy, ["a.bin", "c.bin"])).to.throw(
      'the tensor "b" keeps its data in "b.bin"; needed: one of the external files, which are a.bin, c.bin',
    );
    expect(() => checkExternalFiles(needy, []))
      .to.throw("one of the external files, there are none")
      .with.property("reason", "ARTIFACT_INVALID");
  });

  for (const location of ["/etc/passwd", "../x", "a/../../x", "./a", "a//b", "a/", "", "C:/x", "a\\..\\b", "a\0b"]) {
    it(`are not read from ${JSON.stringify(location)}, also where it is given`, () => {
      expect(isExternalLocation(location)).to.equal(false);
      expect(() => checkExternalFiles(model({ initializer: [at(location)] }), [location])).to.throw(
        `the tensor "w" keeps its data in ${JSON.stringify(location)}; needed: a relative path`,
      );
    });
  }

  for (const location of ["model.onnx.data", "weights/layer 1/a.bin", "..a/b..", "größe"]) {
    it(`may be called ${location}`, () => expect(isExternalLocation(location)).to.equal(true));
  }

  for (const [what, externalData] of [
    ["no location", [{ key: "offset", value: "0" }]],
    ["two locations", [...outside.externalData!, ...outside.externalData!]],
    ["a flag alone", []],
  ] as const) {
    it(`are not guessed from ${what}`, () => {
      const initializer = [{ ...outside, externalData }];
      expect(() => externalLocations(model({ initializer }))).to.throw(/the tensor "w" has [02] external locations/);
    });
  }

  it("are also those of tensors that have a location without the flag", () => {
    const initializer = [{ ...outside, dataLocation: 0 }];
    expect([...externalLocations(model({ initializer })).keys()]).to.deep.equal(["weights.bin"]);
  });

  for (const [where, graph, more] of [
    ["a sparse initializer", { sparseInitializer: [{ values: outside, indices: inside, dims: [1] }] }, {}],
    ["an attribute", { node: [node({ type: 4, t: outside })] }, {}],
    ["a list attribute", { node: [node({ type: 9, tensors: [inside, outside] })] }, {}],
    ["a subgraph", { node: [node({ type: 5, g: { name: "sub", initializer: [outside] } })] }, {}],
    ["a function", {}, { functions: [{ name: "f", domain: "d", node: [node({ type: 4, t: outside })] }] }],
  ] as const) {
    it(`are refused for ${where}, which the runtime would read from its own disk`, () => {
      expect(() => checkExternalFiles(model(graph, more), ["weights.bin"])).to.throw(
        'the tensor "w" keeps its data in "weights.bin"; needed: only initializers of the main graph may',
      );
    });
  }
});
