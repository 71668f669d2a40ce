import { isAbsolute, relative, sep } from "node:path";
import protobuf from "protobufjs";
import descriptor from "protobufjs/ext/descriptor/index.js";
import { contractRoot } from "./contract-root.ts";

/**
 * Describes `.proto` files, and all that they import, as encoded `google.protobuf.FileDescriptorProto` like protoc: names as
 * written, absolute type names, every dependency. `@grpc/reflection` would take what protobufjs makes of them, which strict
 * clients such as grpcurl refuse: map entries have other names, imports are missing, names are in camel case.
 *
 * `files` are absolute or relative to `folder`; the names in the descriptors are relative to it.
 *
 * Source: https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/descriptor.proto
 */
export function fileDescriptors(files: readonly string[], folder: string): Buffer[] {
  const described = new Map<string, FileJson>();
  for (const object of declarationsIn(contractRoot(files, folder))) {
    const file = fileOf(object, folder, described);
    const nameOf = (type: protobuf.ReflectionObject) => {
      const { name } = fileOf(type, folder, described);
      if (name !== file.name && !file.dependency.includes(name)) file.dependency.push(name);
      return type.fullName;
    };
    if (object instanceof protobuf.Type) file.messageType.push(messageJson(object, nameOf));
    else if (object instanceof protobuf.Enum) file.enumType.push(enumJson(object));
    else file.service.push(serviceJson(object, nameOf));
  }
  return reachable(
    files.map((file) => (isAbsolute(file) ? nameIn(folder, file) : file)),
    described,
  ).map((file) => Buffer.from(descriptor.FileDescriptorProto.encode(file).finish()));
}

/** A file descriptor on its way; protobufjs encodes plain objects with these names. */
interface FileJson {
  readonly name: string;
  readonly package: string;
  readonly syntax: "proto3";
  readonly dependency: string[];
  readonly messageType: object[];
  readonly enumType: object[];
  readonly service: object[];
}

/** Answers the absolute name of a type, and makes the file that asks depend on the file of the type. */
type NameOf = (type: protobuf.ReflectionObject) => string;

/** The files of these names and all that they depend on: what only options need, such as google.api.http, is left out as they are. */
function reachable(names: readonly string[], files: ReadonlyMap<string, FileJson>): FileJson[] {
  const found = new Set<FileJson>();
  const visit = (name: string) => {
    const file = files.get(name)!;
    if (found.has(file)) return;
    found.add(file);
    file.dependency.forEach(visit);
  };
  names.forEach(visit);
  return [...found];
}

function* declarationsIn(
  namespace: protobuf.NamespaceBase,
): Generator<protobuf.Type | protobuf.Enum | protobuf.Service> {
  for (const object of namespace.nestedArray) {
    const isDeclaration =
      object instanceof protobuf.Type || object instanceof protobuf.Enum || object instanceof protobuf.Service;
    if (isDeclaration) yield object;
    else if (object instanceof protobuf.Namespace) yield* declarationsIn(object);
  }
}

function fileOf(object: protobuf.ReflectionObject, folder: string, files: Map<string, FileJson>): FileJson {
  let outermost = object;
  while (outermost.parent instanceof protobuf.Type) outermost = outermost.parent;
  const { filename, parent } = outermost;
  const name = filename ? nameIn(folder, filename) : bundledName(outermost.name);
  let file = files.get(name);
  if (file === undefined) {
    const packageName = parent!.fullName.slice(1);
    file = {
      name,
      package: packageName,
      syntax: "proto3",
      dependency: [],
      messageType: [],
      enumType: [],
      service: [],
    };
    files.set(name, file);
  }
  return file;
}

function nameIn(folder: string, file: string): string {
  return relative(folder, file).replaceAll(sep, "/");
}

/** Bundled types have lost their file: all that we use are alone in one of their own name, "FieldMask" in "field_mask". */
function bundledName(type: string): string {
  return `google/protobuf/${type.replaceAll(/(?<=[a-z])[A-Z]/g, "_$&").toLowerCase()}.proto`;
}

function messageJson(type: protobuf.Type, nameOf: NameOf): object {
  // Oneofs that only mark `optional` fields come last, as the specification wants.
  const oneofs = [...type.oneofsArray].sort((a, b) => Number(a.isProto3Optional) - Number(b.isProto3Optional));
  return {
    name: type.name,
    field: type.fieldsArray.map((field) => fieldJson(field, oneofs, nameOf)),
    oneofDecl: oneofs.map(({ name }) => ({ name })),
    nestedType: [
      ...type.nestedArray
        .filter((nested) => nested instanceof protobuf.Type)
        .map((nested) => messageJson(nested, nameOf)),
      ...type.fieldsArray
        .filter((field) => field instanceof protobuf.MapField)
        .map((field) => entryJson(field, nameOf)),
    ],
    enumType: type.nestedArray.filter((nested) => nested instanceof protobuf.Enum).map(enumJson),
  };
}

function fieldJson(field: protobuf.Field, oneofs: readonly protobuf.OneOf[], nameOf: NameOf): object {
  const isMap = field instanceof protobuf.MapField;
  const type = isMap
    ? { type: typeNumbers.message, typeName: `${field.parent!.fullName}.${entryName(field)}` }
    : typeJson(field.type, field.resolvedType, nameOf);
  const oneof = field.partOf
    ? { oneofIndex: oneofs.indexOf(field.partOf), proto3Optional: field.partOf.isProto3Optional }
    : {};
  return {
    name: field.name,
    number: field.id,
    label: isMap || field.repeated ? label.repeated : label.optional,
    ...type,
    ...oneof,
  };
}

/** A map is a repeated message with a key and a value. */
function entryJson(field: protobuf.MapField, nameOf: NameOf): object {
  return {
    name: entryName(field),
    field: [
      { name: "key", number: 1, label: label.optional, ...typeJson(field.keyType, null, nameOf) },
      { name: "value", number: 2, label: label.optional, ...typeJson(field.type, field.resolvedType, nameOf) },
    ],
    options: { mapEntry: true },
  };
}

/** "hyper_parameters" has entries of type "HyperParametersEntry". */
function entryName({ name }: protobuf.ReflectionObject): string {
  return `${name.replaceAll(/(?:^|_)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())}Entry`;
}

function typeJson(scalar: string, resolved: protobuf.Type | protobuf.Enum | null, nameOf: NameOf): object {
  if (resolved === null) return { type: typeNumbers[scalar as keyof typeof typeNumbers] };
  const type = resolved instanceof protobuf.Enum ? typeNumbers.enum : typeNumbers.message;
  return { type, typeName: nameOf(resolved) };
}

function enumJson({ name, values }: protobuf.Enum): object {
  return { name, value: Object.entries(values).map(([value, number]) => ({ name: value, number })) };
}

function serviceJson(service: protobuf.Service, nameOf: NameOf): object {
  return {
    name: service.name,
    method: service.methodsArray.map((method) => ({
      name: method.name,
      inputType: nameOf(method.resolvedRequestType!),
      outputType: nameOf(method.resolvedResponseType!),
      clientStreaming: method.requestStream ?? false,
      serverStreaming: method.responseStream ?? false,
    })),
  };
}

const label = { optional: 1, repeated: 3 } as const;

/** FieldDescriptorProto.Type. */
const typeNumbers = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  message: 11,
  bytes: 12,
  uint32: 13,
  enum: 14,
  sfixed32: 15,
  sfixed64: 16,
  sint32: 17,
  sint64: 18,
} as const;
