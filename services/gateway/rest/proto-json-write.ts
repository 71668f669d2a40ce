import protobuf from "protobufjs";
import type { JsonObject, JsonValue } from "./json-text.ts";
import { isTextType, jsonName, kindOf, type ValueKind } from "./proto-names.ts";
import { textForms } from "./text-types.ts";

/** How messages are written as JSON. */
export interface JsonStyle {
  readonly nameOf: (field: protobuf.Field) => string;
  /** Whether whole numbers of 64 bits are texts: readers that make doubles of numbers would lose digits of them. */
  readonly isLongText: boolean;
}

/** As the specification has it. Source: https://protobuf.dev/programming-guides/json */
export const protoStyle: JsonStyle = { nameOf: jsonName, isLongText: true };

/** As clients of Triton have it: names of the contract, all numbers as numbers. */
export const tritonStyle: JsonStyle = { nameOf: ({ name }) => name, isLongText: false };

/**
 * Says a message that `type.decode` gave. Fields that are not set are said with their defaults, so that every answer has the same
 * ones, but for those that can be left out by their kind: messages, members of a oneof, and what is declared optional.
 */
export function jsonOfMessage(type: protobuf.Type, message: object, style: JsonStyle): JsonValue {
  const values = message as Readonly<Record<string, unknown>>;
  if (isTextType(type.fullName)) return textOf(type.fullName, values);
  if (type.fullName === ".google.protobuf.Any") return jsonOfAny(type, values, style);
  const members = new Map<string, JsonValue>();
  for (const field of type.fieldsArray) {
    const isSet = Object.hasOwn(values, field.name);
    if (!isSet && (field.partOf !== null || (kindOf(field) === "message" && !field.repeated && !field.map))) continue;
    members.set(style.nameOf(field), fieldJson(field, isSet ? values[field.name] : undefined, style));
  }
  return members;
}

function fieldJson(field: protobuf.Field, value: unknown, style: JsonStyle): JsonValue {
  if (field instanceof protobuf.MapField) {
    const entries = Object.entries((value ?? {}) as Record<string, unknown>);
    return new Map(entries.map(([key, entry]) => [keyText(field, key), single(field, entry, style)]));
  }
  if (field.repeated) return ((value ?? []) as readonly unknown[]).map((element) => single(field, element, style));
  return single(field, value ?? field.typeDefault, style);
}

function single(field: protobuf.Field, value: unknown, style: JsonStyle): JsonValue {
  return writers[kindOf(field)](value, field, style);
}

const writers: Record<ValueKind, (value: unknown, field: protobuf.Field, style: JsonStyle) => JsonValue> = {
  bool: (value) => value as boolean,
  int: (value) => value as number,
  long: (value, _, { isLongText }) => (isLongText ? String(value) : BigInt(String(value))),
  float: (value) => (Number.isFinite(value) ? (value as number) : String(value)),
  string: (value) => value as string,
  bytes: (value) => Buffer.from(value as Uint8Array).toString("base64"),
  enum: (value, { resolvedType }) => (resolvedType as protobuf.Enum).valuesById[value as number] ?? (value as number),
  message: (value, { resolvedType }, style) => jsonOfMessage(resolvedType as protobuf.Type, value as object, style),
};

function textOf(type: keyof typeof textForms, values: Readonly<Record<string, unknown>>): string {
  const { seconds = 0, nanos = 0, paths = [] } = values;
  const message = { seconds: BigInt(String(seconds)), nanos: nanos as number, paths: paths as readonly string[] };
  return textForms[type].write(message);
}

/** The message inside, with its type; its bytes where the contracts have no such type. */
function jsonOfAny(
  any: protobuf.Type,
  { type_url, value }: Readonly<Record<string, unknown>>,
  style: JsonStyle,
): JsonObject {
  const url = String(type_url ?? "");
  const bytes = (value ?? new Uint8Array()) as Uint8Array;
  const type = any.root.lookup(url.slice(url.lastIndexOf("/") + 1), [protobuf.Type]) as protobuf.Type | null;
  const said =
    type === null ? writers.bytes(bytes, any.fieldsArray[0]!, style) : jsonOfMessage(type, type.decode(bytes), style);
  return new Map([["@type", url], ...(said instanceof Map ? said : [["value", said] as const])]);
}

/** protobufjs keeps keys of 64 bits as eight characters. */
function keyText({ keyType }: protobuf.MapField, key: string): string {
  if (!(keyType in protobuf.types.long)) return key;
  return String(protobuf.util.longFromHash(key, keyType.startsWith("u")));
}
