import type { ModelInferRequest } from "../../lib/gen/inference/ModelInferRequest.ts";
import type { Random } from "../../lib/random.ts";
import { encodeMessage } from "../../lib/rpc/protos.ts";
import { elementBytes } from "../../lib/tensor.ts";
import { type FuzzedInput, type FuzzedModel, fuzzedModels } from "./models.ts";
import { randomBytes } from "./mutations.ts";

type Tensor = NonNullable<ModelInferRequest["inputs"]>[number];
/** A request while it is spoiled. */
interface Draft {
  request: ModelInferRequest & { inputs: Tensor[]; rawInputContents: Buffer[] };
  readonly random: Random;
}

/** A request that a model can answer, its symbolic sizes drawn from 0 to 3. */
export function goodRequest(random: Random): ModelInferRequest {
  return draft(random).request;
}

/** One way of asking for what cannot be. */
type Fault = (draft: Draft) => void;

const faults: Readonly<Record<string, Fault>> = {
  "an unknown model": ({ request, random }) => {
    request.modelName = ["", "nothing", "single\n", "a".repeat(100_000), "__proto__"][random.below(5)]!;
  },
  "an unknown version": ({ request, random }) => {
    request.modelVersion = ["0", "-1", "2", "99999999999999999999", "1.5", "NaN", "latest", " 1"][random.below(8)]!;
  },
  "an input that does not exist": ({ request, random }) => {
    request.inputs[0]!.name = ["", "X", "constructor", "y".repeat(10_000)][random.below(4)]!;
  },
  "an output that does not exist": ({ request, random }) => {
    request.outputs = [{ name: ["", "y", "toString", "x"][random.below(4)]! }];
  },
  "an output twice": ({ request }) => {
    const name = `out_${request.inputs[0]!.name}`;
    request.outputs = [{ name }, { name }];
  },
  "an input twice": ({ request }) => {
    request.inputs.push(request.inputs[0]!);
    request.rawInputContents.push(request.rawInputContents[0]!);
  },
  "an input too few": ({ request }) => {
    request.inputs.pop();
    request.rawInputContents.pop();
  },
  "10,000 inputs": ({ request }) => {
    request.inputs = Array.from({ length: 10_000 }, (_, index) => ({ ...request.inputs[0]!, name: `x${index}` }));
  },
  "10,000 raw contents": ({ request }) => {
    request.rawInputContents = Array<Buffer>(10_000).fill(Buffer.alloc(0));
  },
  "10,000 outputs": ({ request }) => {
    request.outputs = Array.from({ length: 10_000 }, (_, index) => ({ name: `y${index}` }));
  },
  "a shape whose product overflows": ({ request, random }) => {
    const size = ["4294967296", "9223372036854775807", "65536", "3037000500"][random.below(4)]!;
    request.inputs[0]!.shape = Array<string>(1 + random.below(5)).fill(size);
  },
  "a negative dimension": ({ request, random }) => {
    request.inputs[0]!.shape = [["-1", "-9223372036854775808"][random.below(2)]!, "2"];
  },
  "two negative dimensions": ({ request }) => {
    request.inputs[0]!.shape = ["-1", "-2"];
  },
  "a thousand dimensions": ({ request, random }) => {
    request.inputs[0]!.shape = Array<string>(1000).fill(String(random.below(2)));
  },
  "another number of dimensions": ({ request, random }) => {
    request.inputs[0]!.shape = Array<string>(random.below(5)).fill("1");
  },
  "another data type": ({ request, random }) => {
    request.inputs[0]!.datatype = ["", "FP32", "BF16", "BYTES", "fp32", "STRING", "INT4"][random.below(7)]!;
  },
  "too many bytes": ({ request, random }) => {
    request.rawInputContents[0] = randomBytes(1 + random.below(100), random);
  },
  "a wrong BYTES length": (spoiled) => {
    bytesRequest(spoiled, (length) => {
      length.writeUInt32LE([0, 3, 5, 2 ** 31, 2 ** 32 - 1][spoiled.random.below(5)]!);
    });
  },
  "BYTES that are no text": (spoiled) => {
    bytesRequest(spoiled, (_, content) => {
      content.fill([0, 0xff, 0xc0][spoiled.random.below(3)]!);
    });
  },
  "raw and typed contents": ({ request }) => {
    request.inputs[0]!.contents = { fp32Contents: [1, 2] };
  },
  "typed contents": ({ request, random }) => {
    request.rawInputContents = [];
    const numbers = Array.from({ length: random.below(6) }, () => random.below(2 ** 31));
    const contents = [
      { fp32Contents: [Number.NaN, Number.POSITIVE_INFINITY, ...numbers] },
      { intContents: numbers },
      { int64Contents: numbers },
      { uint64Contents: ["18446744073709551615"] },
      { bytesContents: [Buffer.from([0xff]), Buffer.alloc(0)] },
      { boolContents: [true], fp64Contents: [1] },
      {},
    ];
    for (const input of request.inputs) input.contents = contents[random.below(contents.length)]!;
  },
  "an odd parameter": ({ request, random }) => {
    const names = ["priority", "timeout", "sequence_id", "sequence_start", "sequence_end", "triton_final_response"];
    const values = [
      { doubleParam: Number.NaN, parameterChoice: "doubleParam" },
      { doubleParam: -1e308, parameterChoice: "doubleParam" },
      { int64Param: "-9223372036854775808", parameterChoice: "int64Param" },
      { uint64Param: "18446744073709551615", parameterChoice: "uint64Param" },
      { uint64Param: "1", parameterChoice: "uint64Param" },
      { stringParam: "NaN", parameterChoice: "stringParam" },
      { boolParam: true, parameterChoice: "boolParam" },
      {},
    ] as const;
    const parameter = () => ({ [names[random.below(names.length)]!]: values[random.below(values.length)]! });
    request.parameters = { ...parameter(), ...parameter() };
  },
  "a parameter of a tensor": ({ request, random }) => {
    const names = ["shared_memory_region", "binary_data_size", "classification", "__proto__"];
    const parameters = {
      [names[random.below(names.length)]!]: { int64Param: String(random.below(7) - 3), parameterChoice: "int64Param" },
    } as const;
    request.inputs[0]!.parameters = parameters;
    request.outputs = [{ name: `out_${request.inputs[0]!.name}`, parameters }];
  },
  "a long id": ({ request, random }) => {
    request.id = "i".repeat(random.below(100_000));
  },
};

/** The names of all faults. */
export const faultNames = Object.keys(faults);

/** A request with one fault, encoded; it may happen to be right nonetheless. */
export function faultyRequest(name: string, random: Random): Buffer {
  const spoiled = draft(random);
  faults[name]!(spoiled);
  return encodedRequest(spoiled.request);
}

export function encodedRequest(request: ModelInferRequest): Buffer {
  return encodeMessage("inference", "inference.ModelInferRequest", request);
}

function draft(random: Random, model: FuzzedModel = fuzzedModels[random.below(fuzzedModels.length)]!): Draft {
  const rows = random.below(4);
  const shapes = model.inputs.map(({ shape }) =>
    shape.map((size) => (typeof size === "number" ? size : size === "n" ? rows : random.below(4))),
  );
  const inputs = model.inputs.map(({ name, dataType }, index) => ({
    name,
    datatype: dataType,
    shape: shapes[index]!.map(String),
  }));
  const rawInputContents = model.inputs.map((input, index) => rawContent(input, shapes[index]!, random));
  return { request: { modelName: model.name, inputs, rawInputContents }, random };
}

function rawContent({ dataType }: FuzzedInput, shape: readonly number[], random: Random): Buffer {
  const count = shape.reduce((product, size) => product * size, 1);
  const size = elementBytes[dataType];
  if (size !== undefined) return randomBytes(count * size, random);
  return Buffer.concat(Array.from({ length: count }, () => Buffer.from([4, 0, 0, 0, 0x74, 0x65, 0x78, 0x74])));
}

/** Makes it a request of one text of 4 bytes, with another length or content. */
function bytesRequest(spoiled: Draft, spoil: (length: Buffer, content: Buffer) => void): void {
  const element = Buffer.from([4, 0, 0, 0, 0x74, 0x65, 0x78, 0x74]);
  spoil(element.subarray(0, 4), element.subarray(4));
  spoiled.request = {
    modelName: "texts",
    inputs: [{ name: "x", datatype: "BYTES", shape: ["1", "1"] }],
    rawInputContents: [element],
  };
}
