import { expect } from "chai";
import fc from "fast-check";
import { ServiceError } from "../../lib/errors.ts";
import type { ModelInferRequest } from "../../lib/gen/inference/ModelInferRequest.ts";
import { type DataType, elementBytes, type Signature } from "../../lib/tensor.ts";
import { decodeRequest } from "../../services/inference/tensors/decode.ts";
import { bytesOf, rawTexts, received } from "./wire.ts";

const simple: Signature = {
  inputs: [
    { name: "INPUT0", dataType: "INT32", shape: ["batch", 4] },
    { name: "INPUT1", dataType: "FP32", shape: [2] },
  ],
  outputs: [
    { name: "OUTPUT0", dataType: "INT32", shape: ["batch", 4] },
    { name: "OUTPUT1", dataType: "FP32", shape: [2] },
  ],
};
const input0 = { name: "INPUT0", datatype: "INT32", shape: [1, 4] };
const input1 = { name: "INPUT1", datatype: "FP32", shape: [2] };
const raw0 = bytesOf(Int32Array.of(1, 2, 3, 4));
const raw1 = bytesOf(Float32Array.of(0.5, -0.5));
const good: ModelInferRequest = { modelName: "simple", inputs: [input0, input1], rawInputContents: [raw0, raw1] };

/** A signature with one input `x`. */
const only = (dataType: DataType, shape: readonly (number | string)[]): Signature => ({
  inputs: [{ name: "x", dataType, shape }],
  outputs: [],
});

const fault = (request: ModelInferRequest, signature = simple): ServiceError => {
  try {
    decodeRequest(received(request), signature);
  } catch (thrown) {
    expect(thrown).to.be.instanceOf(ServiceError);
    return thrown as ServiceError;
  }
  return expect.fail("the request was accepted");
};

describe("a request becomes tensors:", () => {
  it("raw bytes are not copied", () => {
    const request = received(good);
    const { inputs, inputBytes } = decodeRequest(request, simple);
    expect(inputs.map(({ name, dataType, shape }) => ({ name, dataType, shape }))).to.deep.equal([
      { name: "INPUT0", dataType: "INT32", shape: [1, 4] },
      { name: "INPUT1", dataType: "FP32", shape: [2] },
    ]);
    expect(inputs.map(({ bytes }) => Buffer.from(bytes))).to.deep.equal([raw0, raw1]);
    expect(inputs.map(({ bytes }) => bytes.buffer)).to.deep.equal(request.rawInputContents.map(({ buffer }) => buffer));
    expect(inputBytes).to.equal(24);
  });

  it("inputs may come in any order, and are in the order of the signature", () => {
    const { inputs } = decodeRequest(
      received({ ...good, inputs: [input1, input0], rawInputContents: [raw1, raw0] }),
      simple,
    );
    expect(inputs.map(({ name }) => name)).to.deep.equal(["INPUT0", "INPUT1"]);
    expect(inputs.map(({ bytes }) => Buffer.from(bytes))).to.deep.equal([raw0, raw1]);
  });

  it("a priority and a time to wait, in whole milliseconds, come with them", () => {
    const waiting = (parameters: ModelInferRequest["parameters"]) => {
      const { priority, timeoutMs } = decodeRequest(received({ ...good, parameters }), simple);
      return [priority, timeoutMs];
    };
    expect(waiting({})).to.deep.equal([0, 0]);
    expect(waiting({ priority: { uint64Param: 3 }, timeout: { int64Param: 1500 } })).to.deep.equal([3, 2]);
  });

  it("optional inputs may be left out", () => {
    const signature = { ...simple, inputs: [simple.inputs[0], { ...simple.inputs[1], optional: true }] };
    const names = (request: ModelInferRequest) =>
      decodeRequest(received(request), signature).inputs.map(({ name }) => name);
    expect(names(good)).to.deep.equal(["INPUT0", "INPUT1"]);
    expect(names({ ...good, inputs: [input0], rawInputContents: [raw0] })).to.deep.equal(["INPUT0"]);
    expect(fault({ ...good, inputs: [input1], rawInputContents: [raw1] }, signature).message).to.equal(
      "expected 1 to 2 inputs but got 1 inputs for model 'simple'; missing: 'INPUT0'",
    );
  });

  it("all outputs are wanted where none is named, else the named ones in their order", () => {
    expect(decodeRequest(received(good), simple).outputNames).to.deep.equal(["OUTPUT0", "OUTPUT1"]);
    const outputs = [{ name: "OUTPUT1" }, { name: "OUTPUT0" }];
    expect(decodeRequest(received({ ...good, outputs }), simple).outputNames).to.deep.equal(["OUTPUT1", "OUTPUT0"]);
  });

  it("a scalar and an empty tensor are tensors, also without any data", () => {
    const scalar = { modelName: "m", inputs: [{ name: "x", datatype: "FP64", shape: [] }] };
    const one = bytesOf(Float64Array.of(7));
    const [x] = decodeRequest(received({ ...scalar, rawInputContents: [one] }), only("FP64", [])).inputs;
    expect(x).to.deep.include({ shape: [] });
    expect(Buffer.from(x.bytes)).to.deep.equal(one);
    const empty = { modelName: "m", inputs: [{ name: "x", datatype: "FP64", shape: [0, 3] }] };
    for (const rawInputContents of [[Buffer.alloc(0)], []]) {
      const [nothing] = decodeRequest(received({ ...empty, rawInputContents }), only("FP64", ["n", 3])).inputs;
      expect([nothing.shape, nothing.bytes.byteLength]).to.deep.equal([[0, 3], 0]);
    }
  });

  it("any number of dimensions fits where the model leaves it open", () => {
    const request = { modelName: "m", inputs: [{ name: "x", datatype: "UINT8", shape: [1, 2, 1] }] };
    const { inputs } = decodeRequest(
      received({ ...request, rawInputContents: [Buffer.alloc(2)] }),
      only("UINT8", ["..."]),
    );
    expect(inputs[0].shape).to.deep.equal([1, 2, 1]);
  });

  for (const [dataType, size] of Object.entries(elementBytes)) {
    if (size === undefined) continue;
    it(`raw ${dataType} arrives as it was sent`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 64 }), (random) => {
          const bytes = Buffer.from(random.subarray(0, random.length - (random.length % size)));
          const inputs = [{ name: "x", datatype: dataType, shape: [bytes.length / size] }];
          const request = received({ modelName: "m", inputs, rawInputContents: [bytes] });
          const [x] = decodeRequest(request, only(dataType as DataType, ["n"])).inputs;
          expect(Buffer.from(x.bytes)).to.deep.equal(bytes);
        }),
      );
    });
  }
});

describe("a request is refused for", () => {
  const cases: Record<string, [ModelInferRequest, string]> = {
    "an unknown input": [
      { ...good, inputs: [input0, { ...input1, name: "INPUT9" }] },
      "unexpected input 'INPUT9' for model 'simple'; its inputs: 'INPUT0', 'INPUT1'",
    ],
    "a missing input": [
      { ...good, inputs: [input0], rawInputContents: [raw0] },
      "expected 2 inputs but got 1 inputs for model 'simple'; missing: 'INPUT1'",
    ],
    "an input that comes twice": [
      { ...good, inputs: [input0, input0] },
      "input 'INPUT0' already exists in request for model 'simple'",
    ],
    "ten thousand inputs": [
      { ...good, inputs: Array.from({ length: 10_000 }, (_, index) => ({ ...input0, name: `I${index}` })) },
      "unexpected input 'I0' for model 'simple'; its inputs: 'INPUT0', 'INPUT1'",
    ],
    "another data type": [
      { ...good, inputs: [{ ...input0, datatype: "FP32" }, input1] },
      "input 'INPUT0' of model 'simple' has datatype 'FP32'; needed: 'INT32'",
    ],
    "an unknown data type": [
      { ...good, inputs: [{ ...input0, datatype: "float" }, input1] },
      "input 'INPUT0' of model 'simple' has datatype 'float'; needed: 'INT32'",
    ],
    "another number of dimensions": [
      { ...good, inputs: [{ ...input0, shape: [4] }, input1] },
      "input 'INPUT0' of model 'simple' has shape [4]; needed: [batch, 4]",
    ],
    "another fixed size": [
      { ...good, inputs: [{ ...input0, shape: [4, 1] }, input1] },
      "input 'INPUT0' of model 'simple' has shape [4, 1]; needed: [batch, 4]",
    ],
    "a negative dimension": [
      { ...good, inputs: [{ ...input0, shape: [-1, 4] }, input1] },
      "input 'INPUT0' of model 'simple' has shape [-1, 4]; needed: no negative dimension",
    ],
    "a shape whose product overflows": [
      { ...good, inputs: [{ ...input0, shape: ["9223372036854775807", 4] }, input1] },
      "input 'INPUT0' of model 'simple' has shape [9223372036854775807, 4]: more elements than can be counted",
    ],
    "a shape whose product overflows though it has a zero": [
      { ...good, inputs: [{ ...input0, shape: ["0", "4294967296", "4294967296"] }, input1] },
      "input 'INPUT0' of model 'simple' has shape [0, 4294967296, 4294967296]: more elements than can be counted",
    ],
    "thousands of dimensions": [
      { ...good, inputs: [{ ...input0, shape: new Array(5000).fill(1) }, input1] },
      "input 'INPUT0' of model 'simple' has 5000 dimensions; at most 64 work",
    ],
    "too few bytes": [
      { ...good, rawInputContents: [raw0.subarray(1), raw1] },
      "input 'INPUT0' of model 'simple' has 15 bytes; shape [1, 4] needs 16",
    ],
    "too many bytes": [
      { ...good, rawInputContents: [raw0, Buffer.concat([raw1, raw1])] },
      "input 'INPUT1' of model 'simple' has 16 bytes; shape [2] needs 8",
    ],
    "contents beside raw bytes": [
      { ...good, inputs: [{ ...input0, contents: { intContents: [1, 2, 3, 4] } }, input1] },
      "contents field must not be specified when using raw_input_contents for 'INPUT0' for model 'simple'",
    ],
    "another number of raw entries": [
      { ...good, rawInputContents: [raw0] },
      "raw_input_contents has 1 entries for 2 inputs of model 'simple'; needed: one per input",
    ],
    "an output that does not exist": [
      { ...good, outputs: [{ name: "OUTPUT7" }] },
      "unexpected output 'OUTPUT7' for model 'simple'; its outputs: 'OUTPUT0', 'OUTPUT1'",
    ],
    "an output that is wanted twice": [
      { ...good, outputs: [{ name: "OUTPUT0" }, { name: "OUTPUT0" }] },
      "output 'OUTPUT0' already exists in request for model 'simple'",
    ],
    "a sequence whose id is no number and no text": [
      { ...good, parameters: { sequence_id: { boolParam: true } } },
      "the parameter 'sequence_id' is boolParam; needed: an int64_param, uint64_param or string_param",
    ],
    "a sequence whose id is too long": [
      { ...good, parameters: { sequence_id: { stringParam: "é".repeat(65) } } },
      "the parameter 'sequence_id' is 130 bytes long; needed: at most 128",
    ],
    "the start of a sequence that is neither true nor false": [
      { ...good, parameters: { sequence_start: { int64Param: 1 } } },
      "the parameter 'sequence_start' is int64Param; needed: a bool_param",
    ],
    "no response at all": [
      { ...good, parameters: { max_responses: { int64Param: 0 } } },
      "the parameter 'max_responses' is 0; needed: an int64_param or uint64_param from 1",
    ],
    "a priority that is no number": [
      { ...good, parameters: { priority: { doubleParam: Number.NaN } } },
      "the parameter 'priority' is doubleParam; needed: an int64_param or uint64_param from 0",
    ],
    "a negative timeout": [
      { ...good, parameters: { timeout: { int64Param: -7 } } },
      "the parameter 'timeout' is -7; needed: an int64_param or uint64_param from 0",
    ],
  };
  for (const [what, [request, message]] of Object.entries(cases)) {
    it(what, () => {
      const { message: seen, status } = fault(request);
      expect({ seen, status }).to.deep.equal({ seen: message, status: "INVALID_ARGUMENT" });
    });
  }

  const unserved: readonly (readonly [string, ModelInferRequest, string])[] = [
    [
      "shared memory of an input",
      { ...good, inputs: [{ ...input0, parameters: { shared_memory_region: { stringParam: "r" } } }, input1] },
      "the parameter 'shared_memory_region' of input 'INPUT0' belongs to an extension that is not served",
    ],
    [
      "shared memory of an output",
      { ...good, outputs: [{ name: "OUTPUT0", parameters: { shared_memory_offset: { int64Param: 1 } } }] },
      "the parameter 'shared_memory_offset' of output 'OUTPUT0' belongs to an extension that is not served",
    ],
  ];
  for (const [what, request, message] of unserved) {
    it(`${what}, which is not served`, () => {
      const { message: seen, status } = fault(request);
      expect({ seen, status }).to.deep.equal({ seen: message, status: "UNIMPLEMENTED" });
    });
  }

  it("a very long name, which is cut in the message", () => {
    const { message } = fault({ ...good, inputs: [{ ...input0, name: "N".repeat(100_000) }, input1] });
    expect(message.length).to.be.lessThan(400);
  });

  const texts = { modelName: "m", inputs: [{ name: "x", datatype: "BYTES", shape: [2] }] };
  const rawCases: Record<string, [Buffer, string]> = {
    "a BYTES length beyond the end": [
      Buffer.concat([rawTexts("ab"), Buffer.from([0xff, 0xff, 0xff, 0xff, 1])]),
      "says that element 1 has 4294967295 bytes; only 1 are left",
    ],
    "BYTES elements that are missing": [rawTexts("ab"), "has 1 BYTES elements in 6 bytes; needed: 2"],
    "a BYTES length that is cut": [
      Buffer.concat([rawTexts("ab"), Buffer.from([1, 0])]),
      "has 1 BYTES elements in 8 bytes; needed: 2",
    ],
    "bytes behind the last BYTES element": [rawTexts("a", "b", "c"), "has 5 bytes after its 2 BYTES elements"],
    "BYTES that are not UTF-8": [
      rawTexts("a", Buffer.from([0xc3, 0x28])),
      "has a BYTES element 1 that is not UTF-8, which ONNX needs",
    ],
    "BYTES with a NUL": [rawTexts("a\0b", "c"), "has a NUL in its BYTES element 0, which ONNX cannot carry"],
  };
  for (const [what, [raw, message]] of Object.entries(rawCases)) {
    it(what, () => {
      const { message: seen } = fault({ ...texts, rawInputContents: [raw] }, only("BYTES", ["n"]));
      expect(seen).to.equal(`input 'x' of model 'm' ${message}`);
    });
  }
});
