import { expect } from "chai";
import { defaultsModel, defaultsOf, withoutDefaults } from "../../lib/onnx/defaults.ts";
import { type ModelProto, readModel, writeModel } from "../../lib/onnx/model.ts";

const info = (name: string) => ({ name, type: { tensorType: { elemType: 1, shape: {} } } });
const tensor = (name: string) => ({ name, dims: [], dataType: 1, rawData: new Uint8Array(4) });

/** `y` = `x` + `w`, where `w` has a default and `inner` is a constant. */
const model = (irVersion: number): ModelProto =>
  readModel(
    writeModel({
      irVersion,
      producerName: "tests",
      opsetImport: [{ domain: "", version: 18 }],
      graph: {
        name: "g",
        input: [info("x"), info("w")],
        output: [info("y")],
        initializer: [tensor("w"), tensor("inner")],
        node: [{ opType: "Add", input: ["x", "w"], output: ["y"] }],
      },
    }),
  );
const names = (list: readonly { readonly name?: string }[] = []) => list.map(({ name }) => name);

describe("the defaults of a model", () => {
  it("are the initializers that are inputs too, from IR version 4 on", () => {
    expect(names(defaultsOf(model(4)))).to.deep.equal(["w"]);
    expect(names(defaultsOf(model(13)))).to.deep.equal(["w"]);
    expect(names(defaultsOf(model(3)))).to.deep.equal([]);
    expect(names(defaultsOf({ graph: {} }))).to.deep.equal([]);
  });

  it("are taken out without changing anything else", () => {
    const { graph, ...rest } = readModel(writeModel(withoutDefaults(model(8))));
    const { graph: before, ...same } = model(8);
    expect(names(graph!.initializer)).to.deep.equal(["inner"]);
    expect({ ...graph, initializer: before!.initializer }).to.deep.equal({ ...before });
    expect({ ...rest }).to.deep.equal({ ...same });
  });

  it("are outputs of a model of their own, under the names of the inputs", () => {
    const { graph } = readModel(writeModel(defaultsModel(model(8))));
    expect([names(graph!.output), names(graph!.initializer), names(graph!.input)]).to.deep.equal([["w"], ["w"], []]);
  });
});
