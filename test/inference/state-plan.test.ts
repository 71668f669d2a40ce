import { expect } from "chai";
import type { Signature, Tensor, TensorSpec } from "../../lib/tensor.ts";
import type { StateSettings } from "../../services/inference/sequences/sequence-settings.ts";
import { statePlan } from "../../services/inference/sequences/state-plan.ts";
import { loneRequest } from "./bare-runner.ts";
import { bytesOf, rawTexts } from "./wire.ts";

const state = (change: Partial<StateSettings> = {}): StateSettings => ({
  inputName: "state",
  outputName: "next",
  initialShape: [],
  initialRaw: new Uint8Array(),
  ...change,
});
const spec = (name: string, shape: TensorSpec["shape"], dataType: TensorSpec["dataType"] = "FP32"): TensorSpec => ({
  name,
  dataType,
  shape,
});
const model = (shape: TensorSpec["shape"], dataType: TensorSpec["dataType"] = "FP32"): Signature => ({
  inputs: [spec("state", shape, dataType), spec("x", ["n", 3])],
  outputs: [spec("y", ["n"]), spec("next", shape, dataType)],
});
const x: Tensor = { name: "x", dataType: "FP32", shape: [2, 3], bytes: new Uint8Array(24) };

describe("the states of a model", () => {
  const fault = (settings: readonly StateSettings[], signature: Signature): string => {
    try {
      statePlan(settings, signature);
    } catch (thrown) {
      expect(thrown).to.include({ reason: "ARTIFACT_INVALID" });
      return (thrown as Error).message.replace("the serving settings do not fit the model: ", "");
    }
    return expect.fail("they were accepted");
  };
  const initial = (signature: Signature, change: Partial<StateSettings> = {}) => {
    const plan = statePlan([state(change)], signature);
    const [{ shape, bytes }] = plan.initialStates(plan.rowCountOf([x]), 1e6);
    return { shape, bytes: [...bytes] };
  };

  it("are no part of what requests give and get", () => {
    const { signature } = statePlan([state()], model(["n", 1]));
    expect([signature.inputs, signature.outputs].map((specs) => specs.map(({ name }) => name))).to.deep.equal([
      ["x"],
      ["y"],
    ]);
  });

  it("begin as zeros, with the request's rows along the first symbolic axis and nothing along the others", () => {
    expect(initial(model(["n", 2], "UINT8"))).to.deep.equal({ shape: [2, 2], bytes: [0, 0, 0, 0] });
    expect(initial(model([2, "n", "t", 4]))).to.deep.equal({ shape: [2, 2, 0, 4], bytes: [] });
    expect(initial(model(["n"], "BYTES"))).to.deep.equal({ shape: [2], bytes: Array(8).fill(0) });
    expect(initial(model([3], "UINT8"))).to.deep.equal({ shape: [3], bytes: [0, 0, 0] });
  });

  it("begin with the elements that are given, for every row, whichever axis the rows are", () => {
    const raw = { initialRaw: Uint8Array.of(1, 2, 3, 4) };
    expect(initial(model(["n", 4], "UINT8"), raw).bytes).to.deep.equal([1, 2, 3, 4, 1, 2, 3, 4]);
    expect(initial(model([2, "n", 2], "UINT8"), raw).bytes).to.deep.equal([1, 2, 1, 2, 3, 4, 3, 4]);
    expect(initial(model([4], "UINT8"), raw).bytes).to.deep.equal([1, 2, 3, 4]);
    expect(initial(model(["n", "k"], "UINT8"), { ...raw, initialShape: [1, 4] })).to.deep.equal({
      shape: [1, 4],
      bytes: [1, 2, 3, 4],
    });
    const texts = rawTexts("a", "bcd");
    expect(initial(model([2, "n"], "BYTES"), { initialRaw: texts }).bytes).to.deep.equal([
      ...rawTexts("a", "a", "bcd", "bcd"),
    ]);
  });

  it("travel with a job, and come back in buffers of their own under the names of the inputs", () => {
    const plan = statePlan([state()], model(["n", 1]));
    const job = loneRequest({ inputs: [x], outputNames: ["y"], inputBytes: 24 });
    const states = plan.initialStates(2, 1e6);
    expect(plan.withStates(job, states)).to.deep.include({
      inputs: [x, ...states],
      outputNames: ["y", "next"],
      inputBytes: 32,
      keepsInputs: true,
    });
    const batch = new Uint8Array(80);
    const y = { ...spec("y", []), shape: [2], bytes: batch.subarray(0, 8) };
    const next = { ...spec("next", []), shape: [2, 1], bytes: batch.subarray(8, 16).fill(7) };
    const split = plan.split(job, [y, next]);
    expect(split.outputs).to.deep.equal([y]);
    expect(split.states).to.deep.equal([{ ...next, name: "state", bytes: new Uint8Array(8).fill(7) }]);
    expect(split.states[0].bytes.buffer.byteLength).to.equal(8);
  });

  it("are refused for a request whose rows make them larger than all of a node may be", () => {
    const plan = statePlan([state({ initialShape: [-1, 1000] })], model(["n", 1000]));
    expect(() => plan.initialStates(3, 11_999)).to.throw(
      "the states of 3 rows have 12000 bytes; needed: at most 11999",
    );
  });

  const wrong: Record<string, [readonly StateSettings[], Signature, string]> = {
    "an input that does not exist": [
      [state({ inputName: "stat" })],
      model(["n", 1]),
      "sequence_batching.states[0] names the input 'stat'; the model has 'state', 'x'",
    ],
    "an output that does not exist": [
      [state(), state({ inputName: "x", outputName: "z" })],
      model(["n", 1]),
      "sequence_batching.states[1] names the output 'z'; the model has 'y', 'next'",
    ],
    "types that differ": [
      [state({ inputName: "x" })],
      model(["n", 3], "FP16"),
      "sequence_batching.states[0]: output 'next' is FP16, input 'x' is FP32; needed: the same type",
    ],
    "shapes that cannot be the same": [
      [state({ inputName: "x" })],
      model(["n", 4]),
      "sequence_batching.states[0]: output 'next' has shape [n, 4], which does not fit input 'x' [n, 3]",
    ],
    "an initial shape that the input does not take": [
      [state({ initialShape: [-1, 2] })],
      model(["n", 1]),
      "the initial state of input 'state' has shape [-1, 2]; needed: [n, 1]",
    ],
    "rows along two axes": [
      [state({ initialShape: [-1, -1] })],
      model(["n", "t"]),
      "the initial state of input 'state' has shape [-1, -1]; needed: -1 once at most",
    ],
    "no shape for an input that may have any": [
      [state()],
      model(["..."]),
      "the initial state of input 'state' has no shape, and the model does not say how many dimensions it has",
    ],
    "elements that do not fill the shape": [
      [state({ initialRaw: bytesOf(Float32Array.of(1, 2)) })],
      model(["n", 3]),
      "the initial state of input 'state' has 8 bytes; shape [1, 3] needs 12",
    ],
    "texts that are none": [
      [state({ initialRaw: Uint8Array.of(9, 0, 0, 0, 65) })],
      model(["n"], "BYTES"),
      "the initial state of input 'state' says that element 0 has 9 bytes; only 1 are left",
    ],
  };
  for (const [what, [settings, signature, message]] of Object.entries(wrong)) {
    it(`do not fit the model where there is ${what}`, () => {
      expect(fault(settings, signature)).to.equal(message);
    });
  }
});
