import { expect } from "chai";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { hasBfloat16, narrowed, widened, withoutBfloat16 } from "../../lib/onnx/bfloat16.ts";
import { checkCarried } from "../../lib/onnx/carriers.ts";
import { type ModelProto, type NodeProto, writeModel } from "../../lib/onnx/model.ts";
import { signatureOf } from "../../lib/onnx/signature.ts";
import type { DataType } from "../../lib/tensor.ts";

const float = 1;
const bool = 9;
const bfloat = 16;
const info = (name: string, elemType = bfloat) => ({
  name,
  type: { tensorType: { elemType, shape: { dim: [{ dimParam: "n" }] } } },
});
const node = (
  opType: string,
  input: string[],
  output: string[],
  attribute: NodeProto["attribute"] = [],
): NodeProto => ({
  opType,
  input,
  output,
  attribute,
});
const modelOf = (graph: ModelProto["graph"]): ModelProto => ({
  irVersion: 8,
  opsetImport: [{ domain: "", version: 18 }],
  graph: { name: "g", ...graph },
});
const bits = [0x3f80, 0xc0a0, 0x0001, 0x8000, 0x7f80, 0x7f7f];
const x = {
  name: "x",
  dataType: "BF16" as DataType,
  shape: [bits.length],
  bytes: new Uint8Array(Uint16Array.from(bits).buffer),
};

/** The bits that a model gives as each of its outputs for `x`, and for a true `c`. */
async function outcome(model: ModelProto): Promise<Record<string, number[]>> {
  const session = await InferenceSession.create(writeModel(withoutBfloat16(model)), { logSeverityLevel: 4 });
  const wide = new Float32Array(widened(x).bytes.buffer as ArrayBuffer);
  const all: Record<string, Tensor> = { x: new Tensor("float32", wide, x.shape), c: new Tensor("bool", [true], [1]) };
  const feeds = Object.fromEntries(session.inputNames.map((name) => [name, all[name]]));
  const given = await session.run(feeds);
  await session.release();
  const bitsOf = (tensor: Tensor) => {
    const { buffer, byteOffset, byteLength } = tensor.data as Float32Array;
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    const narrow = narrowed({ name: "", dataType: "FP32", shape: tensor.dims, bytes });
    return [...new Uint16Array(narrow.bytes.buffer as ArrayBuffer)];
  };
  return Object.fromEntries(Object.entries(given).map(([name, tensor]) => [name, bitsOf(tensor as Tensor)]));
}

describe("a model with BF16", () => {
  it("takes and gives FP32 in its place, every bit kept", async () => {
    const model = modelOf({ node: [node("Identity", ["x"], ["y"])], input: [info("x")], output: [info("y")] });
    expect(hasBfloat16(signatureOf(model))).to.equal(true);
    expect(signatureOf(withoutBfloat16(model)).inputs[0].dataType).to.equal("FP32");
    expect(await outcome(model)).to.deep.equal({ y: bits });
  });

  it("is the same where a value is used several times, or is an output and an input of others", async () => {
    const nodes = [node("Identity", ["x"], ["y"]), node("Identity", ["y"], ["z"]), node("Identity", ["x"], ["w"])];
    const model = modelOf({ node: nodes, input: [info("x")], output: ["y", "z", "w"].map((name) => info(name)) });
    expect(await outcome(model)).to.deep.equal({ y: bits, z: bits, w: bits });
  });

  it("may use its inputs in subgraphs, and give constants", async () => {
    const branch = (name: string) => ({
      name,
      type: 5,
      g: { name, node: [node("Identity", ["x"], [`${name}.y`])], output: [info(`${name}.y`)] },
    });
    const model = modelOf({
      node: [
        node("If", ["c1"], ["y"], [branch("then_branch"), branch("else_branch")]),
        node("Squeeze", ["c"], ["c1"]),
      ].reverse(),
      input: [info("x"), info("c", bool)],
      output: [info("y"), info("k")],
      initializer: [{ name: "k", dims: [1], dataType: bfloat, rawData: Uint8Array.of(0x80, 0x3f) }],
    });
    expect(await outcome(model)).to.deep.equal({ y: bits, k: [0x3f80] });
  });

  it("is refused where BF16 has a default", () => {
    const initializer = [{ name: "x", dims: [1], dataType: bfloat, rawData: Uint8Array.of(0, 0) }];
    const model = modelOf({
      node: [node("Identity", ["x"], ["y"])],
      input: [info("x")],
      output: [info("y")],
      initializer,
    });
    expect(() => checkCarried(signatureOf(model))).to.throw(
      "'x' is BF16 and has a default, which the runtime cannot carry",
    );
  });

  it("is left alone where it has none", () => {
    const model = modelOf({
      node: [node("Identity", ["x"], ["y"])],
      input: [info("x", float)],
      output: [info("y", float)],
    });
    expect(hasBfloat16(signatureOf(model))).to.equal(false);
    expect(widened({ ...x, dataType: "UINT16" }).dataType).to.equal("UINT16");
  });
});
