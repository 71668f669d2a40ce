import protobuf from "protobufjs";
import { ServiceError } from "../../../lib/errors.ts";
import { nearestNames } from "../../../lib/nearest-names.ts";
import { isObject, type JsonValue, shownJson } from "./json-text.ts";
import { fieldNamed, isOptional, isTextType, isUnsigned, jsonName, kindOf, type ValueKind } from "./proto-names.ts";
import { textForms } from "./text-types.ts";

/**
 * The message that a JSON value says, for `type.encode`. Throws REQUEST_INVALID with the path of a field that is not as the contract
 * has it, or that the contract has not.
 *
 * Source: https://protobuf.dev/programming-guides/json
 */
export function messageOfJson(type: protobuf.Type, json: JsonValue, path = ""): object {
  if (isTextType(type.fullName)) return textMessage(type.fullName, json, path);
  if (!isObject(json)) throw refusal(path, json, "an object");
  const message: Record<string, unknown> = Object.create(null);
  const chosen = new Map<protobuf.OneOf, string>();
  for (const [name, value] of json) {
    const field = fieldNamed(type, name);
    if (field === undefined) throw new ServiceError("REQUEST_INVALID", unknownText(type, joined(path, name), name));
    const fieldPath = joined(path, jsonName(field));
    if (field.name in message) throw invalid(fieldPath, "is given twice; needed: one of its two names");
    if (value === null) continue;
    const { partOf } = field;
    if (partOf !== null && !isOptional(field)) {
      const other = chosen.get(partOf);
      if (other !== undefined) throw invalid(fieldPath, `is given besides ${other}; needed: one of both`);
      chosen.set(partOf, fieldPath);
    }
    message[field.name] = fieldValue(field, value, fieldPath);
  }
  return message;
}

function fieldValue(field: protobuf.Field, json: JsonValue, path: string): unknown {
  if (field instanceof protobuf.MapField) return mapValue(field, json, path);
  if (!field.repeated) return single(field, json, path);
  if (!Array.isArray(json)) throw refusal(path, json, "an array");
  return json.map((element, index) => single(field, element, `${path}[${index}]`));
}

function mapValue(field: protobuf.MapField, json: JsonValue, path: string): object {
  if (!isObject(json)) throw refusal(path, json, "an object");
  const entries: Record<string, unknown> = Object.create(null);
  for (const [key, value] of json) {
    const entryPath = `${path}[${shownJson(key)}]`;
    // Keys are texts in JSON, also those that are numbers, of which one may be written in several ways.
    const isText = field.keyType === "string";
    const own = isText ? key : String(readers.int(key, { type: field.keyType, resolvedType: null }, entryPath));
    if (own in entries) throw invalid(entryPath, "is given twice; needed: each key once");
    entries[own] = single(field, value, entryPath);
  }
  return entries;
}

type ValueField = Pick<protobuf.Field, "type" | "resolvedType">;

function single(field: ValueField, json: JsonValue, path: string): unknown {
  return readers[kindOf(field)](json, field, path);
}

const readers: Record<ValueKind, (json: JsonValue, field: ValueField, path: string) => unknown> = {
  bool: (json, _, path) => {
    if (typeof json !== "boolean") throw refusal(path, json, "true or false");
    return json;
  },
  int: (json, { type }, path) =>
    Number(whole(json, path, isUnsigned(type) ? [0n, 2n ** 32n - 1n] : [-(2n ** 31n), 2n ** 31n - 1n])),
  long: (json, { type }, path) =>
    longBits(whole(json, path, isUnsigned(type) ? [0n, 2n ** 64n - 1n] : [-(2n ** 63n), 2n ** 63n - 1n])),
  float: (json, { type }, path) => {
    const isText = typeof json === "string" && /^(-?(\d+(\.\d+)?([eE][-+]?\d+)?|Infinity)|NaN)$/.test(json);
    const value = isText || typeof json === "number" || typeof json === "bigint" ? Number(json) : undefined;
    const held = type === "float" && value !== undefined ? Math.fround(value) : value;
    const isLost = Math.abs(held ?? 0) === Infinity && !/Infinity/.test(String(json));
    if (value === undefined || isLost) throw refusal(path, json, `a number of the type ${type}`);
    return value;
  },
  string: (json, _, path) => {
    if (typeof json !== "string") throw refusal(path, json, "a string");
    return json;
  },
  bytes: (json, _, path) => {
    if (typeof json !== "string" || !isBase64(json)) throw refusal(path, json, "a string of base64");
    return Buffer.from(json, "base64");
  },
  enum: (json, { resolvedType }, path) => {
    const { values } = resolvedType as protobuf.Enum;
    const number = typeof json === "string" && Object.hasOwn(values, json) ? values[json] : json;
    if (typeof number === "number" && Number.isInteger(number) && Math.abs(number) < 2 ** 31) return number;
    throw refusal(path, json, `one of ${Object.keys(values).join(", ")}`);
  },
  message: (json, { resolvedType }, path) => messageOfJson(resolvedType as protobuf.Type, json, path),
};

/** Of either alphabet, whole, with its padding or without. */
function isBase64(text: string): boolean {
  const [, padding] = /^[A-Za-z0-9+/_-]*(={0,2})$/.exec(text) ?? [];
  if (padding === undefined) return false;
  return padding === "" ? text.length % 4 !== 1 : text.length % 4 === 0;
}

function textMessage(type: keyof typeof textForms, json: JsonValue, path: string): object {
  const form = textForms[type];
  const message = typeof json === "string" ? form.read(json) : undefined;
  if (message === undefined) throw refusal(path, json, form.needed);
  return "seconds" in message ? { seconds: longBits(message.seconds), nanos: message.nanos } : message;
}

function whole(json: JsonValue, path: string, [min, max]: readonly [bigint, bigint]): bigint {
  let value: bigint | undefined;
  if (typeof json === "bigint") value = json;
  else if (typeof json === "number" && Number.isInteger(json)) value = BigInt(json);
  else if (typeof json === "string" && /^-?\d{1,20}$/.test(json)) value = BigInt(json);
  if (value === undefined || value < min || value > max) {
    throw refusal(path, json, `a whole number from ${min} to ${max}`);
  }
  return value;
}

/** As protobufjs takes them: it would make a double of a bigint. */
function longBits(value: bigint): { readonly low: number; readonly high: number } {
  return { low: Number(BigInt.asIntN(32, value)), high: Number(BigInt.asIntN(32, value >> 32n)) };
}

function joined(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function unknownText(type: protobuf.Type, path: string, name: string): string {
  const known = type.fieldsArray.map(jsonName);
  const [nearest] = nearestNames(jsonName({ name }), known, 1);
  const what = `${shownJson(path)} is no field of ${type.fullName.slice(1)}`;
  if (nearest === undefined) return `${what}; needed: none`;
  return `${what}; the nearest is ${nearest}; needed: one of ${known.join(", ")}`;
}

function refusal(path: string, seen: JsonValue, needed: string): ServiceError {
  return invalid(path, `is ${shownJson(seen)}; needed: ${needed}`);
}

function invalid(path: string, what: string): ServiceError {
  const field = path === "" ? "the body" : path;
  return new ServiceError("REQUEST_INVALID", `${field} ${what}`, { metadata: { field } });
}
