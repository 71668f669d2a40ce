import protobuf from "protobufjs";
import { isTextType, jsonName, kindOf, type TextType, type ValueKind } from "./proto-names.ts";

/** A schema of JSON Schema 2020-12, as OpenAPI 3.1 takes them. */
export type Schema = Readonly<Record<string, unknown>>;

/** The schemas of messages and enums by their full names, each made when it is first named. */
export class MessageSchemas {
  readonly #byName = new Map<string, Schema>();

  /** All that have been named, and what they name. */
  get all(): Readonly<Record<string, Schema>> {
    return Object.fromEntries([...this.#byName].sort(([one], [other]) => (one < other ? -1 : 1)));
  }

  /** A schema that names a message or an enum. */
  of(type: protobuf.Type | protobuf.Enum): Schema {
    if (isTextType(type.fullName)) return textSchemas[type.fullName];
    const name = type.fullName.slice(1);
    if (!this.#byName.has(name)) {
      // A message may hold itself.
      this.#byName.set(name, {});
      this.#byName.set(name, type instanceof protobuf.Enum ? enumSchema(type) : this.#messageSchema(type));
    }
    return { $ref: `#/components/schemas/${name}` };
  }

  /** Of all the values of a field. */
  ofField(field: protobuf.Field): Schema {
    const description = field.comment ?? undefined;
    if (field.map) return { type: "object", additionalProperties: this.#ofValue(field), description };
    if (field.repeated) return { type: "array", items: this.#ofValue(field), description };
    return { ...this.#ofValue(field), description };
  }

  #ofValue(field: protobuf.Field): Schema {
    return field.resolvedType === null ? scalarSchemas[kindOf(field)] : this.of(field.resolvedType);
  }

  #messageSchema(type: protobuf.Type): Schema {
    const properties = type.fieldsArray.map((field) => [jsonName(field), this.ofField(field)]);
    return { type: "object", description: type.comment ?? undefined, properties: Object.fromEntries(properties) };
  }
}

function enumSchema({ values, comment, comments }: protobuf.Enum): Schema {
  const lines = Object.keys(values).map((name) => `- ${name}: ${comments[name] ?? ""}`);
  return { type: "string", enum: Object.keys(values), description: `${comment ?? ""}\n${lines.join("\n")}` };
}

const scalarSchemas: Readonly<Record<ValueKind, Schema>> = {
  bool: { type: "boolean" },
  int: { type: "integer", format: "int32" },
  // Answers have texts; requests may have either.
  long: { type: ["string", "integer"], format: "int64" },
  float: { type: ["number", "string"], format: "double" },
  string: { type: "string" },
  bytes: { type: "string", contentEncoding: "base64" },
  enum: { type: "string" },
  message: { type: "object" },
};

const textSchemas: Readonly<Record<TextType, Schema>> = {
  ".google.protobuf.Timestamp": { type: "string", format: "date-time" },
  ".google.protobuf.Duration": { type: "string", pattern: "^-?[0-9]{1,12}(\\.[0-9]{1,9})?s$" },
  ".google.protobuf.FieldMask": { type: "string" },
};
