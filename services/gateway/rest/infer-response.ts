import { ServiceError } from "../../../lib/errors.ts";
import { type DataType, elementCount } from "../../../lib/tensor.ts";
import { restType } from "./contracts.ts";
import { refuseHalves } from "./infer-request.ts";
import { type JsonValue, jsonText } from "./json-text.ts";
import { jsonOfParameters } from "./parameter-json.ts";
import type { WholeReply } from "./reply.ts";
import { jsonOfRaw } from "./tensor-json.ts";

/** A tensor of an answer. */
export interface RawOutput {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: readonly number[];
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly raw: Uint8Array;
}

/** What an inference was answered. */
export interface RawInference {
  readonly model: string;
  readonly version: string;
  readonly id: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly outputs: readonly RawOutput[];
}

/** Reads the bytes of `inference.ModelInferResponse`. Throws INTERNAL where its outputs do not have their raw contents. */
export function answeredInference(message: Buffer): RawInference {
  interface Output {
    readonly name: string;
    readonly datatype: DataType;
    readonly shape: readonly unknown[];
    readonly parameters: Readonly<Record<string, unknown>>;
  }
  const { model_name, model_version, id, parameters, outputs, raw_output_contents } = restType(
    "inference.ModelInferResponse",
  ).decode(message) as unknown as {
    readonly model_name: string;
    readonly model_version: string;
    readonly id: string;
    readonly parameters: Readonly<Record<string, unknown>>;
    readonly outputs: readonly Output[];
    readonly raw_output_contents: readonly Uint8Array[];
  };
  if (outputs.length !== raw_output_contents.length) {
    const seen = `${raw_output_contents.length} raw contents for ${outputs.length} outputs`;
    throw new ServiceError("INTERNAL", `the node answered with ${seen}`);
  }
  return {
    model: model_name,
    version: model_version,
    id,
    parameters,
    outputs: outputs.map((output, index) => ({
      name: output.name,
      datatype: output.datatype,
      shape: output.shape.map(Number),
      parameters: output.parameters,
      raw: raw_output_contents[index]!,
    })),
  };
}

/**
 * Throws TENSOR_INVALID where outputs have more to say than fits into so many bytes of JSON, of which a number takes eight: it would
 * hold up all other calls.
 */
export function checkSayable(outputs: readonly RawOutput[], bytesMax: number): void {
  const bytes = outputs.reduce(
    (sum, { datatype, shape, raw }) => sum + (datatype === "BYTES" ? raw.byteLength : elementCount(shape) * 8),
    0,
  );
  if (bytes <= bytesMax) return;
  const names = outputs.map(({ name }) => name).join(", ");
  throw new ServiceError(
    "TENSOR_INVALID",
    `outputs ${names} are about ${bytes} bytes of JSON; needed: at most ${bytesMax}, or to ask for them as binary data`,
  );
}

/**
 * An answer as the Open Inference Protocol says it: JSON, and behind that the outputs that are to be binary data. Throws what
 * `checkSayable` and `jsonOfRaw` throw.
 */
export function inferenceReply(
  answer: RawInference,
  isBinary: (output: string) => boolean,
  jsonBytesMax: number,
): WholeReply {
  checkSayable(
    answer.outputs.filter(({ name }) => !isBinary(name)),
    jsonBytesMax,
  );
  const binary: Uint8Array[] = [];
  const outputs = answer.outputs.map((output) => {
    const { name, datatype, shape, raw } = output;
    const parameters = new Map(jsonOfParameters(output.parameters));
    const members = new Map<string, JsonValue>([
      ["name", name],
      ["datatype", datatype],
      ["shape", shape],
    ]);
    if (isBinary(name)) {
      binary.push(raw);
      parameters.set("binary_data_size", raw.byteLength);
    } else {
      refuseHalves(
        datatype,
        `sending ${datatype} data via JSON is not supported. Please use the binary data format for output ${name}`,
      );
      members.set("data", jsonOfRaw(datatype, elementCount(shape), raw, `output '${name}'`));
    }
    return parameters.size === 0 ? members : members.set("parameters", parameters);
  });
  const body = new Map<string, JsonValue>(answer.id === "" ? [] : [["id", answer.id]]);
  body.set("model_name", answer.model).set("model_version", answer.version);
  const parameters = jsonOfParameters(answer.parameters);
  if (parameters.size > 0) body.set("parameters", parameters);
  const head = Buffer.from(jsonText(body.set("outputs", outputs)));
  if (binary.length === 0) return { contentType: "application/json", body: head };
  return {
    headers: { "inference-header-content-length": String(head.length) },
    contentType: "application/octet-stream",
    body: Buffer.concat([head, ...binary]),
  };
}
