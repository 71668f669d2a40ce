import { readdir } from "node:fs/promises";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { linearModel, strangeModel } from "./onnx-files.ts";
import { type ExternalContents, publishWith } from "./publish-with.ts";
import { external, externalModel, node, rawModel, sizes, tensor } from "./raw-models.ts";
import { emptyFolder, faultOf, type RunningRegistry, startRegistry, upload } from "./running-registry.ts";

describe("validation in the registry", () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let running: RunningRegistry;

  before(async function () {
    this.timeout(60_000);
    folder = await emptyFolder();
    running = await startRegistry(folder.path);
  });

  after(async () => {
    await running.stop();
    await folder.remove();
  });

  const create = (bytes: Uint8Array, files: ExternalContents = {}, request: object = {}) =>
    publishWith(running.registry, bytes, files, request);

  /** Why an ONNX file is rejected; the version says the same. */
  async function refusalOf(bytes: Uint8Array, files: ExternalContents = {}, request: object = {}): Promise<string> {
    const fault = await faultOf(create(bytes, files, request));
    expect(fault, fault.message).to.include({ code: status.INVALID_ARGUMENT, reason: "ARTIFACT_INVALID" });
    const version = await running.registry.unary("GetVersion", { name: fault.metadata.version });
    expect(version.state).to.equal("VERSION_STATE_REJECTED");
    expect(fault.message).to.contain(version.stateReason.slice(0, 500));
    return version.stateReason;
  }

  const identity = [node("Identity", ["x"], ["y"])];
  const weights = new Uint8Array(new Float32Array([1, 2]).buffer);

  describe("refuses, with the reason,", () => {
    for (const [what, bytes] of [
      ["text", Buffer.from("not a model")],
      ["nothing", Buffer.alloc(0)],
      ["zeros", Buffer.alloc(100)],
      ["noise", Buffer.from("0b1c5d7e9f".repeat(40), "hex")],
      ["a truncated file", linearModel().subarray(0, 90)],
    ] as const) {
      it(`${what} instead of an ONNX file`, async () => {
        expect(await refusalOf(bytes)).to.match(/not an ONNX model: ./);
      });
    }

    it("files whose numbers no model can have", async () => {
      for (const numbers of [
        { dims: [2 ** 40, 2 ** 40] },
        { dims: [2 ** 60] },
        { dims: [-1] },
        { opset: 2 ** 60 },
        { opset: 2 ** 31 },
        { opset: -1 },
      ]) {
        expect(await refusalOf(strangeModel(numbers)), JSON.stringify(numbers)).to.contain("not an ONNX model");
      }
    });

    it("sizes that no number holds exactly, and no tensor has", async () => {
      for (const size of [2 ** 53, 2 ** 62]) {
        const large = tensor("x", "FP32", [size, 2]);
        expect(await refusalOf(rawModel({ node: identity, input: [large] }))).to.contain(
          'input "x" has a dimension beyond 2^53',
        );
        const output = tensor("y", "FP32", [size]);
        expect(await refusalOf(rawModel({ node: identity, output: [output] }))).to.contain(
          'output "y" has a dimension beyond 2^53',
        );
      }
    });

    it("two outputs or inputs of one name", async () => {
      const output = [tensor("y"), tensor("y")];
      expect(await refusalOf(rawModel({ node: identity, output }))).to.contain(
        'more than one output "y"; needed: each',
      );
      const input = [tensor("x"), tensor("x")];
      expect(await refusalOf(rawModel({ node: identity, input }))).to.contain('more than one input "x"; needed: each');
    });

    it("names that no message and no database can carry", async () => {
      const [x, y] = ["x\0z", "y\0"];
      for (const [what, model] of [
        ["input", rawModel({ node: [node("Identity", [x], ["y"])], input: [tensor(x)] })],
        ["output", rawModel({ node: [node("Identity", ["x"], [y])], output: [tensor(y)] })],
        ["size", rawModel({ node: identity, input: [tensor("x", "FP32", ["a\0b", 2])] })],
        ["operator", rawModel({ node: [node("No\0pe", ["x"], ["y"])] })],
        ["operator set", rawModel({ node: identity, opsets: { "": 18, "org\0acme": 1 } })],
      ] as const) {
        const reason = await refusalOf(model);
        expect(reason, what).to.contain(what).and.contain("without NUL").and.contain("\\u0000");
      }
    });

    it("more operator sets, operators, axes and inputs than anybody serves", async () => {
      const many = (count: number, prefix: string) => Array.from({ length: count }, (_, index) => `${prefix}${index}`);
      const opsets = Object.fromEntries(many(64, "org.acme.").map((domain) => [domain, 1]));
      expect(await refusalOf(rawModel({ node: identity, opsets: { "": 18, ...opsets } }))).to.contain(
        "65 imports of operator sets; needed: at most 64",
      );
      const input = [tensor("x"), ...many(4096, "x").map((name) => tensor(name))];
      expect(await refusalOf(rawModel({ node: identity, input }))).to.contain("4097 inputs; needed: at most 4096");
      const axes = tensor("x", "FP32", Array(65).fill(1));
      expect(await refusalOf(rawModel({ node: identity, input: [axes] }))).to.contain("65 axes; needed: at most 64");
      const operators = many(4097, "Op").map((name) => node(name, ["x"], ["y"]));
      expect(await refusalOf(rawModel({ node: operators }))).to.contain(
        "4097 kinds of operators; needed: at most 4096",
      );
      const long = "n".repeat(1025);
      expect(await refusalOf(rawModel({ node: identity, input: [tensor(long)] }))).to.contain("1025 characters");
    });

    it("weights beyond the end of their file, with the tensor and the bytes", async () => {
      const at = (...externalData: { key: string; value: string }[]) => {
        const where = { key: "location", value: "w.bin" };
        const w = { ...external("w", [2], "w.bin"), externalData: [where, ...externalData] };
        return refusalOf(rawModel({ node: [node("Add", ["x", "w"], ["y"])], initializer: [w] }), { "w.bin": weights });
      };
      expect(await at({ key: "offset", value: "8" })).to.equal(
        'the tensor "w" keeps its data in bytes 8 to 16 of "w.bin"; needed: a range within its 8 bytes',
      );
      expect(await at({ key: "offset", value: "-8" })).to.contain(
        'the tensor "w" has the external offset "-8"; needed',
      );
    });

    it("operator sets that are newer than the runtime's, and says which is the newest", async () => {
      expect(await refusalOf(rawModel({ node: identity, opsets: { "": 9999 } }))).to.match(
        /operator set ai\.onnx is 9999; needed: at most \d\d\b/,
      );
      const reason = await refusalOf(rawModel({ node: identity, opsets: { "": 18, "ai.onnx.ml": 77 } }));
      expect(reason).to.match(/operator set ai\.onnx\.ml is 77; needed: at most \d\b/);
    });

    it("operators that the runtime does not have, by their names", async () => {
      const unknown = await refusalOf(rawModel({ node: [node("Frobnicate", ["x"], ["y"])] }));
      expect(unknown).to.contain("operator Frobnicate is not supported");
      const foreign = rawModel({
        node: [node("Frob", ["x"], ["y"], [], "org.acme")],
        opsets: { "": 18, "org.acme": 1 },
      });
      expect(await refusalOf(foreign)).to.contain("operator org.acme/Frob is not supported");
    });

    it("operators that the runtime has, but not for these types, by their names", async () => {
      const shift = rawModel({
        node: [node("BitShift", ["x", "x"], ["y"], [{ name: "direction", type: 3, s: Buffer.from("LEFT") }])],
        input: [tensor("x", "UINT16")],
        output: [tensor("y", "UINT16")],
      });
      expect(await refusalOf(shift)).to.contain("operator BitShift is not supported");
    });

    it("graphs that go in a circle", async () => {
      const circle = rawModel({ node: [node("Add", ["x", "b"], ["a"]), node("Identity", ["a"], ["b"]), ...identity] });
      expect(await refusalOf(circle)).to.match(/the runtime cannot load it: .*acyclic/s);
    });

    it("outputs and inputs that are no tensors", async () => {
      const sequence = { name: "y", type: { sequenceType: { elemType: tensor("y").type } } };
      const made = rawModel({ node: [node("SequenceConstruct", ["x"], ["y"])], output: [sequence] });
      expect(await refusalOf(made)).to.contain('output "y" is a sequence; needed: a tensor');
      const map = { name: "x", type: { mapType: { keyType: 7, valueType: tensor("x").type } } };
      expect(await refusalOf(rawModel({ node: identity, input: [map] }))).to.contain('input "x" is a map');
    });

    it("element types that the protocol or the runtime cannot carry", async () => {
      const float8 = rawModel({ node: identity, input: [tensor("x", 17)], output: [tensor("y", 17)] });
      expect(await refusalOf(float8)).to.contain('"x" has elements of ONNX type 17');
    });

    it("no BF16: nodes run it", async () => {
      const bfloat = rawModel({ node: identity, input: [tensor("x", "BF16")], output: [tensor("y", "BF16")] });
      expect((await create(bfloat)).state).to.equal("VERSION_STATE_READY");
    });

    it("models that cannot be run on zeros, unless there is a sample", async () => {
      const reshape = rawModel({ node: [node("Reshape", ["x", "to"], ["y"])], initializer: [sizes("to", [3n, 4n])] });
      expect(await refusalOf(reshape)).to.match(/it cannot be run on zeros, .* sample.*Reshape/s);
      const contents = Buffer.alloc(6 * 2 * 4);
      const sample = { inputs: [{ name: "x", dataType: "FP32", shape: [6, 2], contents }] };
      expect(await create(reshape, {}, { sample })).to.include({ state: "VERSION_STATE_READY" });
    });

    it("samples that do not fit the model", async () => {
      const shaped = (shape: number[]) => ({
        inputs: [{ name: "x", dataType: "FP32", shape, contents: Buffer.alloc(24) }],
      });
      const model = rawModel({ node: identity });
      expect(await refusalOf(model, {}, { sample: shaped([2, 3]) })).to.contain(
        '"x" is FP32 [2, 3]; needed: FP32 [n, 2]',
      );
      expect(await refusalOf(model, {}, { sample: { inputs: [] } })).to.contain('"x" is missing');
      const other = { name: "z", dataType: "FP32", shape: [1], contents: Buffer.alloc(4) };
      const both = { inputs: [...shaped([3, 2]).inputs, other] };
      expect(await refusalOf(model, {}, { sample: both })).to.contain('"z" is no input that requests must have');
    });

    it("inputs of so many elements that nobody can make zeros for them", async () => {
      const wide = rawModel({
        node: identity,
        input: [tensor("x", "FP32", [2 ** 40])],
        output: [tensor("y", "FP32", [2 ** 40])],
      });
      expect(await refusalOf(wide))
        .to.contain("cannot be run on zeros")
        .and.contain("needed: a sample");
    });

    it("files beside the ONNX file that it does not name, and the other way round", async () => {
      expect(await refusalOf(externalModel("w.bin"))).to.contain('keeps its data in "w.bin"');
      expect(await refusalOf(externalModel("w.bin"), { "v.bin": weights })).to.contain("which are v.bin");
      expect(await refusalOf(rawModel({ node: identity }), { "v.bin": weights })).to.contain('"v.bin"');
    });

    it("locations that lead elsewhere", async () => {
      for (const location of ["../w.bin", "/etc/passwd", "a/../w.bin", "./w.bin", "a\\w.bin", "c:w.bin", ""]) {
        expect(await refusalOf(externalModel(location)), location).to.contain(JSON.stringify(location));
      }
    });

    it("weights in other files outside of the initializers of the main graph", async () => {
      const constant = node("Constant", [], ["c"], [{ name: "value", type: 4, t: external("c", [2], "w.bin") }]);
      const model = rawModel({ node: [constant, node("Add", ["x", "c"], ["y"])] });
      expect(await refusalOf(model, { "w.bin": weights })).to.contain("only initializers of the main graph may");
    });

    it("files that are shorter than the weights in them", async () => {
      expect(await refusalOf(externalModel("w.bin"), { "w.bin": weights.subarray(0, 6) })).to.match(
        /bytes 0 to 8 of "w.bin"; needed: a range within its \d bytes/,
      );
    });

    it("models that cannot compute with zeros", async () => {
      const divided = rawModel({
        node: [node("Div", ["x", "x"], ["y"])],
        input: [tensor("x", "INT32", ["n"])],
        output: [tensor("y", "INT32", ["n"])],
      });
      expect(await refusalOf(divided)).to.match(/it cannot be run on zeros, .*by zero/);
    });
  });

  it("knows a content that it has seen, accepted or rejected, at once", async () => {
    const artifact = await upload(running.registry, linearModel());
    const request = {
      parent: "models/m",
      version: { variants: [{ artifact }] },
      allowMissingModel: true,
      noWait: true,
    };
    await running.registry.unary("CreateVersion", { ...request, noWait: false }, { timeoutMs: 10_000 });
    expect(await running.registry.unary("CreateVersion", request)).to.include({ state: "VERSION_STATE_READY" });
    await refusalOf(Buffer.from("not a model"));
    const text = await upload(running.registry, Buffer.from("not a model"));
    const again = { ...request, version: { variants: [{ artifact: text }] } };
    expect(await faultOf(running.registry.unary("CreateVersion", again))).to.include({ reason: "ARTIFACT_INVALID" });
  });

  it("leaves nothing in its folder", async () => {
    expect(await readdir(`${folder.path}/registry/validation`)).to.deep.equal([]);
  });
});
