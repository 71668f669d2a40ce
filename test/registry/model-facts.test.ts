import { expect } from "chai";
import { elementTypes } from "../../lib/onnx/element-type.ts";
import type { GraphProto } from "../../lib/onnx/model.ts";
import { type ExternalContents, publishWith } from "./publish-with.ts";
import { bool, external, graphAttribute, node, rawModel, tensor } from "./raw-models.ts";
import { emptyFolder, type RunningRegistry, startRegistry } from "./running-registry.ts";

describe("models that the registry accepts", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let running: RunningRegistry;

  before(async () => {
    folder = await emptyFolder();
    running = await startRegistry(folder.path);
  });

  after(async () => {
    await running.stop();
    await folder.remove();
  });

  const create = (bytes: Uint8Array, files: ExternalContents = {}, request: object = {}) =>
    publishWith(running.registry, bytes, files, request);
  const identity = [node("Identity", ["x"], ["y"])];
  const weights = new Uint8Array(new Float32Array([1, 2]).buffer);

  it("are read from old and new operator sets", async () => {
    for (const version of [7, 11, 13, 17, 21, 23]) {
      const made = await create(rawModel({ node: identity, opsets: { "": version } }));
      expect(made).to.deep.include({ state: "VERSION_STATE_READY", opsets: { "ai.onnx": version } });
    }
  });

  it("have texts, half floats and small integers", async () => {
    for (const type of ["BYTES", "FP16", "INT8", "UINT8", "BOOL", "INT64", "FP64"] as const) {
      const model = rawModel({ node: identity, input: [tensor("x", type)], output: [tensor("y", type)] });
      expect((await create(model)).signature!.inputs[0], type).to.include({ dataType: type });
    }
  });

  it("are run on samples of texts", async () => {
    const model = rawModel({
      node: identity,
      input: [tensor("x", "BYTES", ["n"])],
      output: [tensor("y", "BYTES", ["n"])],
    });
    const contents = Buffer.from("\u0002\0\0\0ab\0\0\0\0", "latin1");
    const sample = { inputs: [{ name: "x", dataType: "BYTES", shape: [2], contents }] };
    expect(await create(model, {}, { sample })).to.include({ state: "VERSION_STATE_READY" });
  });

  it("have inputs and outputs whose number of axes is not known", async () => {
    const unknown = [tensor("x"), tensor("y")].map(({ name, type }) => ({
      name,
      type: { tensorType: { elemType: type!.tensorType!.elemType } },
    }));
    const made = await create(rawModel({ node: identity, input: [unknown[0]!], output: [unknown[1]!] }));
    expect(made.signature!.inputs[0]!.shape).to.deep.equal([{ kind: "symbol", symbol: "..." }]);
  });

  it("have inputs with a default, which requests may leave out", async () => {
    const made = await create(
      rawModel({
        node: [node("Add", ["x", "w"], ["y"])],
        input: [tensor("x"), tensor("w", "FP32", [2])],
        initializer: [{ name: "w", dims: [2], dataType: elementTypes.FP32, rawData: weights }],
      }),
    );
    expect(made.signature!.inputs.map(({ name, optional }) => [name, optional])).to.deep.equal([
      ["x", false],
      ["w", true],
    ]);
  });

  it("have weights in other files, which are counted", async () => {
    const ordinary = { name: "v", dims: [1, 2], dataType: elementTypes.FP32, rawData: weights };
    const model = rawModel({
      node: [node("Add", ["x", "w"], ["a"]), node("Add", ["a", "u"], ["b"]), node("Add", ["b", "v"], ["y"])],
      initializer: [external("w", [2], "w.bin"), external("u", [2], "deep/er/u.bin"), ordinary],
    });
    const made = await create(model, { "w.bin": weights, "deep/er/u.bin": weights });
    expect(made).to.include({ parameterCount: 6, sizeBytes: model.length + 2 * weights.length });
    expect(made.variants[0]!.externalFiles.map(({ location }) => location)).to.deep.equal(["deep/er/u.bin", "w.bin"]);
    expect(made.variants[0]!.memoryBytes).to.be.at.least(made.sizeBytes);
  });

  it("count operators and parameters of subgraphs and functions too", async () => {
    const branch = (name: string, operator: string): GraphProto => ({
      name,
      node: [node(operator, ["x", `${name}.w`], [`${name}.y`])],
      output: [tensor(`${name}.y`)],
      initializer: [{ name: `${name}.w`, dims: [2], dataType: elementTypes.FP32, rawData: weights }],
    });
    const twice = {
      name: "Twice",
      domain: "org.acme",
      input: ["a"],
      output: ["c"],
      node: [node("Add", ["a", "a"], ["b"]), node("Relu", ["b"], ["c"])],
      opsetImport: [{ domain: "", version: 18 }],
    };
    const made = await create(
      rawModel({
        node: [
          node(
            "If",
            ["yes"],
            ["z"],
            [
              graphAttribute("then_branch", branch("then", "Add")),
              graphAttribute("else_branch", branch("else", "Mul")),
            ],
          ),
          node("Twice", ["z"], ["y"], [], "org.acme"),
        ],
        initializer: [bool("yes", true)],
        opsets: { "": 18, "org.acme": 1 },
        functions: [twice],
      }),
    );
    expect(made.operators).to.deep.equal({ Add: 2, If: 1, Mul: 1, Relu: 1, "org.acme/Twice": 1 });
    expect(made.opsets).to.deep.equal({ "ai.onnx": 18, "org.acme": 1 });
    expect(made.parameterCount).to.equal(5);
  });
});
