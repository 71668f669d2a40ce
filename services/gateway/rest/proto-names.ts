import protobuf from "protobufjs";

/** The name of a field in JSON: "page_size" is "pageSize". */
export function jsonName({ name }: { readonly name: string }): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The field of a message that a caller means, who may write its name as in JSON or as in the contract. */
export function fieldNamed(type: protobuf.Type, name: string): protobuf.Field | undefined {
  return type.fieldsArray.find((field) => field.name === name || jsonName(field) === name);
}

/** Whether a field says also that it is not set: it is declared `optional`. */
export function isOptional(field: protobuf.Field): boolean {
  return field.partOf?.isProto3Optional === true;
}

/** The kinds of values that the fields of a message have; "long" is every one of 64 bits. */
export type ValueKind = "bool" | "int" | "long" | "float" | "string" | "bytes" | "enum" | "message";

/** The kind of a field's values, whether it has one or several. */
export function kindOf({ type, resolvedType }: Pick<protobuf.Field, "type" | "resolvedType">): ValueKind {
  if (resolvedType instanceof protobuf.Enum) return "enum";
  return resolvedType === null ? scalarKinds[type as keyof typeof scalarKinds] : "message";
}

/** The names of a message's values that JSON writes as a text. */
export const textTypes = [
  ".google.protobuf.Timestamp",
  ".google.protobuf.Duration",
  ".google.protobuf.FieldMask",
] as const;

export type TextType = (typeof textTypes)[number];

export function isTextType(name: string): name is TextType {
  return textTypes.some((type) => type === name);
}

/** The kinds of the scalars of a contract. */
const scalarKinds = {
  double: "float",
  float: "float",
  int32: "int",
  uint32: "int",
  sint32: "int",
  fixed32: "int",
  sfixed32: "int",
  int64: "long",
  uint64: "long",
  sint64: "long",
  fixed64: "long",
  sfixed64: "long",
  bool: "bool",
  string: "string",
  bytes: "bytes",
} as const satisfies Record<string, ValueKind>;

/** Whether a whole number has no negative values. */
export function isUnsigned(type: string): boolean {
  return type.startsWith("u") || type.startsWith("fixed");
}
