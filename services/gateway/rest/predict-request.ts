import { ServiceError } from "../../../lib/errors.ts";
import type { RawInput } from "./infer-request.ts";
import type { RawInference } from "./infer-response.ts";
import { isObject, type JsonObject, type JsonValue, shownJson } from "./json-text.ts";
import { nestedValues, shapeOfValues } from "./nested-values.ts";
import { type Parameters, parametersOf } from "./parameter-json.ts";
import type { Signature, TensorHead } from "./signature-cache.ts";
import { jsonOfRaw, rawOfJson } from "./tensor-json.ts";

/** The simplest inference: values as they are. */
export interface Prediction {
  readonly model: string;
  /** A number, an alias, or empty. */
  readonly version: string;
  readonly parameters: Parameters;
  /** Of the only input, or by the names of the inputs. */
  readonly values: { readonly input: JsonValue } | { readonly inputs: JsonObject };
}

/** Reads the body of a prediction; throws REQUEST_INVALID. */
export function predictionOf(json: JsonValue | undefined): Prediction {
  if (!isObject(json)) throw invalid("the body", json, 'an object such as {"model": "digits", "input": [[0, 1]]}');
  const unknown = [...json.keys()].find((key) => !members.includes(key));
  if (unknown !== undefined) throw invalid("a member of the body", unknown, `one of ${members.join(", ")}`);
  const model = json.get("model");
  if (typeof model !== "string" || model === "") throw invalid("model", model, "the id of a model");
  const version = json.get("version") ?? "";
  const isVersion = typeof version === "string" || (typeof version === "number" && Number.isInteger(version));
  if (!isVersion) throw invalid("version", version, "a number or an alias");
  const input = json.get("input");
  const inputs = json.get("inputs");
  if ((input === undefined) === (inputs === undefined)) {
    throw invalid("input", input, "either input, or inputs by their names");
  }
  if (inputs !== undefined && !isObject(inputs))
    throw invalid("inputs", inputs, "an object, with values by the names of inputs");
  const values = inputs === undefined ? { input: input! } : { inputs };
  return { model, version: String(version), parameters: parametersOf(json.get("parameters"), "parameters"), values };
}

/** The tensors of a prediction, by the types of the model. Throws TENSOR_INVALID and REQUEST_INVALID. */
export function inputsOf({ values }: Prediction, { inputs }: Signature): readonly RawInput[] {
  const names = inputs.map(({ name }) => name).join(", ");
  if ("input" in values) {
    const [only, ...others] = inputs;
    if (only !== undefined && others.length === 0) return [tensorOf(only, values.input, "input")];
    throw new ServiceError(
      "REQUEST_INVALID",
      `the model has ${inputs.length} inputs; needed: inputs by their names, ${names}`,
    );
  }
  return [...values.inputs].map(([name, value]) => {
    const head = inputs.find((each) => each.name === name);
    if (head !== undefined) return tensorOf(head, value, `inputs.${name}`);
    throw invalid("inputs", name, `the names of inputs: ${names}`);
  });
}

/** What a prediction came to: the only output as such where the only input was given so, otherwise outputs by their names. */
export function jsonOfPrediction({ values }: Prediction, { model, version, outputs }: RawInference): JsonObject {
  const named = outputs.map(({ name, datatype, shape, raw }): [string, JsonValue] => {
    const count = shape.reduce((product, size) => product * size, 1);
    const flat = jsonOfRaw(datatype, count, raw, `output '${name}'`);
    return [name, nestedValues(flat.map(plainValue), shape)];
  });
  const [only, ...others] = named;
  const isOnly = "input" in values && only !== undefined && others.length === 0;
  const output: [string, JsonValue] = isOnly ? ["output", only[1]] : ["outputs", new Map(named)];
  return new Map([["model", model], ["version", version], output]);
}

function tensorOf({ name, datatype }: TensorHead, value: JsonValue, label: string): RawInput {
  const shape = shapeOfValues(value, label);
  return { name, datatype, shape, raw: rawOfJson(datatype, shape, value, label) };
}

/** What every reader of JSON reads as it is meant: the rest is a text. */
function plainValue(value: JsonValue): JsonValue {
  const isPlain = typeof value === "bigint" ? isSafe(value) : typeof value !== "number" || Number.isFinite(value);
  return isPlain ? value : String(value);
}

function isSafe(value: bigint): boolean {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);
}

function invalid(what: string, seen: JsonValue | undefined, needed: string): ServiceError {
  return new ServiceError("REQUEST_INVALID", `${what} is ${shownJson(seen)}; needed: ${needed}`);
}

const members: readonly string[] = ["model", "version", "input", "inputs", "parameters"];
