import { ServiceError } from "../../../lib/errors.ts";
import { type DataType, elementBytes, elementCount } from "../../../lib/tensor.ts";
import { encodedMessage } from "./bound-request.ts";
import { restType } from "./contracts.ts";
import { isObject, type JsonObject, type JsonValue, shownJson } from "./json-text.ts";
import { parametersOf } from "./parameter-json.ts";
import { rawOfJson } from "./tensor-json.ts";

/** A tensor of a request, ready to be sent. */
export interface RawInput {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: readonly number[];
  readonly parameters?: object;
  readonly raw: Uint8Array;
}

/** What an inference is asked. */
export interface RestInference {
  /** As `inference.ModelInferRequest`. */
  readonly message: Buffer;
  /** Whether an output is to be answered as binary data. */
  readonly isBinary: (output: string) => boolean;
}

/**
 * Reads an inference request of the Open Inference Protocol: its JSON, and the binary data behind that. Throws REQUEST_INVALID and
 * TENSOR_INVALID.
 */
export function inferenceOf(
  model: string,
  version: string,
  json: JsonValue | undefined,
  binary: Buffer,
): RestInference {
  if (!isObject(json)) throw invalid("the body", json, "an object");
  const inputs = listOf(json, "inputs");
  if (inputs.length === 0) throw invalid("inputs", json.get("inputs"), "at least one");
  let offset = 0;
  const tensors = inputs.map((input, index) => {
    const tensor = inputOf(input, `inputs[${index}]`, binary.subarray(offset));
    offset += tensor.binaryBytes;
    return tensor;
  });
  if (offset !== binary.length) {
    throw new ServiceError(
      "TENSOR_INVALID",
      `the body has ${binary.length} bytes of binary data; needed: ${offset}, as its inputs say`,
    );
  }
  const isAllBinary = flagOf(json.get("parameters"), "binary_data_output") ?? false;
  const asked = listOf(json, "outputs").map((output, index) => outputOf(output, `outputs[${index}]`));
  const chosen = new Map(asked.map(({ name, isBinary }) => [name, isBinary]));
  const message = encodedInference({
    model,
    version,
    id: textOf(json, "id", "the body"),
    parameters: parametersOf(json.get("parameters"), "parameters", ["binary_data_output"]),
    inputs: tensors,
    outputs: asked.map(({ name, parameters }) => ({ name, parameters })),
  });
  return { message, isBinary: (output) => chosen.get(output) ?? isAllBinary };
}

/** What a message of an inference says. */
export interface InferenceFields {
  readonly model: string;
  readonly version: string;
  readonly id?: string;
  readonly parameters?: object;
  readonly inputs: readonly RawInput[];
  readonly outputs?: readonly object[];
}

/** The bytes of `inference.ModelInferRequest`. */
export function encodedInference({ model, version, id, parameters, inputs, outputs }: InferenceFields): Buffer {
  return encodedMessage(restType("inference.ModelInferRequest"), {
    model_name: model,
    model_version: version,
    id,
    parameters,
    inputs: inputs.map(({ name, datatype, shape, parameters: own }) => ({ name, datatype, shape, parameters: own })),
    outputs,
    raw_input_contents: inputs.map(({ raw }) => raw),
  });
}

function inputOf(json: JsonValue, label: string, binary: Buffer): RawInput & { readonly binaryBytes: number } {
  if (!isObject(json)) throw invalid(label, json, "an object");
  const name = textOf(json, "name", label);
  const datatype = json.get("datatype");
  if (typeof datatype !== "string" || !Object.hasOwn(elementBytes, datatype)) {
    throw invalid(`${label}.datatype`, datatype, `one of ${Object.keys(elementBytes).join(", ")}`);
  }
  const shape = shapeOf(json.get("shape"), `${label}.shape`);
  const parameters = parametersOf(json.get("parameters"), `${label}.parameters`, ["binary_data_size"]);
  const head = { name, datatype: datatype as DataType, shape, parameters };
  const size = isObject(json.get("parameters"))
    ? (json.get("parameters") as JsonObject).get("binary_data_size")
    : undefined;
  const data = json.get("data");
  if (size === undefined && data === undefined) {
    throw invalid(`${label}.data`, undefined, "its elements, or parameters.binary_data_size");
  }
  if (size === undefined) {
    refuseHalves(
      head.datatype,
      `receiving ${datatype} data via JSON is not supported. Please use the binary data format for input ${name}`,
    );
    return { ...head, raw: rawOfJson(head.datatype, shape, data!, `${label}.data`), binaryBytes: 0 };
  }
  if (data !== undefined) throw invalid(`${label}.data`, data, "none besides parameters.binary_data_size");
  if (typeof size !== "number" || !Number.isInteger(size) || size < 0 || size > binary.length) {
    const left = `a number of bytes up to ${binary.length}, which are left of the binary data`;
    throw invalid(`${label}.parameters.binary_data_size`, size, left);
  }
  return { ...head, raw: binary.subarray(0, size), binaryBytes: size };
}

/** Triton's rule: JSON has no numbers of 16 bits. */
export function refuseHalves(dataType: DataType, message: string): void {
  if (dataType === "FP16" || dataType === "BF16") throw new ServiceError("TENSOR_INVALID", message);
}

function outputOf(json: JsonValue, label: string) {
  if (!isObject(json)) throw invalid(label, json, "an object");
  const given = json.get("parameters");
  const isBinary = flagOf(given, "binary_data");
  return {
    name: textOf(json, "name", label),
    parameters: parametersOf(given, `${label}.parameters`, ["binary_data"]),
    isBinary,
  };
}

function shapeOf(json: JsonValue | undefined, label: string): readonly number[] {
  const isSize = (size: JsonValue) => typeof size === "number" && Number.isInteger(size) && size >= 0;
  if (!Array.isArray(json) || !json.every(isSize)) throw invalid(label, json, "an array of whole numbers from 0");
  if (!Number.isSafeInteger(elementCount(json))) throw invalid(label, json, "the shape of fewer than 2^53 elements");
  return json;
}

function textOf(json: JsonObject, key: string, label: string): string {
  const text = json.get(key);
  if (typeof text === "string") return text;
  if (key === "id" && (text === undefined || text === null)) return "";
  throw invalid(`${key} of ${label}`, text, "a string");
}

function listOf(json: JsonObject, key: string): readonly JsonValue[] {
  const list = json.get(key) ?? [];
  if (!Array.isArray(list)) throw invalid(key, list, "an array");
  return list;
}

function flagOf(parameters: JsonValue | undefined, name: string): boolean | undefined {
  const flag = isObject(parameters) ? parameters.get(name) : undefined;
  if (flag === undefined || typeof flag === "boolean") return flag;
  throw invalid(`parameters.${name}`, flag, "true or false");
}

function invalid(what: string, seen: JsonValue | undefined, needed: string): ServiceError {
  return new ServiceError("REQUEST_INVALID", `${what} is ${shownJson(seen)}; needed: ${needed}`, {
    metadata: { field: what },
  });
}
