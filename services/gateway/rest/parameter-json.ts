import { ServiceError } from "../../../lib/errors.ts";
import { isObject, type JsonObject, type JsonValue, shownJson } from "./json-text.ts";

/** Parameters by their names, as a message has them. */
export type Parameters = Readonly<Record<string, object>>;

/** The parameters that JSON gives, but for some that are not for the node. Throws REQUEST_INVALID. */
export function parametersOf(json: JsonValue | undefined, label: string, without: readonly string[] = []): Parameters {
  if (json === undefined || json === null) return {};
  if (!isObject(json)) throw invalid(`${label} is ${shownJson(json)}; needed: an object`);
  const parameters: Record<string, object> = Object.create(null);
  for (const [name, value] of json)
    if (!without.includes(name)) parameters[name] = parameterOf(value, `${label}.${name}`);
  return parameters;
}

/** The parameters of a message as JSON. */
export function jsonOfParameters(parameters: Readonly<Record<string, unknown>>): JsonObject {
  const values = Object.entries(parameters).map(([name, parameter]): [string, JsonValue] => {
    const [kind, value] = Object.entries(parameter as object)[0] ?? ["string_param", ""];
    return [name, kind.endsWith("int64_param") ? BigInt(String(value)) : (value as JsonValue)];
  });
  return new Map(values);
}

function parameterOf(value: JsonValue, label: string): object {
  if (typeof value === "boolean") return { bool_param: value };
  if (typeof value === "string") return { string_param: value };
  if (typeof value === "number" && !Number.isInteger(value)) return { double_param: value };
  if (typeof value === "number" || typeof value === "bigint") {
    const whole = BigInt(value);
    const bits = { low: Number(BigInt.asIntN(32, whole)), high: Number(BigInt.asIntN(32, whole >> 32n)) };
    if (whole >= -(2n ** 63n) && whole < 2n ** 63n) return { int64_param: bits };
    if (whole > 0n && whole < 2n ** 64n) return { uint64_param: bits };
  }
  throw invalid(`${label} is ${shownJson(value)}; needed: true, false, a string, or a number of 64 bits`);
}

function invalid(message: string): ServiceError {
  return new ServiceError("REQUEST_INVALID", message);
}
