import type protobuf from "protobufjs";
import { ServiceError } from "../../../lib/errors.ts";
import type { BoundPath, HttpBinding } from "./http-bindings.ts";
import { isObject, type JsonObject, type JsonValue, shownJson } from "./json-text.ts";
import { messageOfJson } from "./proto-json-read.ts";
import { fieldNamed, isTextType, jsonName, kindOf } from "./proto-names.ts";

/** How the messages of a call cross HTTP. */
export type CallForm = "single" | "events" | "download" | "upload";

/** The form of a binding: streams of bytes are bodies as they are, all other streams of replies are events. */
export function formOf({ rpc, body, responseBody }: HttpBinding): CallForm {
  if (rpc.requestStream && !rpc.responseStream && isBytes(rpc.resolvedRequestType!, body)) return "upload";
  if (!rpc.requestStream && rpc.responseStream)
    return isBytes(rpc.resolvedResponseType!, responseBody) ? "download" : "events";
  if (!rpc.requestStream && responseBody === undefined) return "single";
  throw new Error(`the annotation of ${rpc.fullName} says it in a way that HTTP has no form for`);
}

/**
 * The request that a path, its query and its body say, for `encode`. Throws REQUEST_INVALID with the field that is not as it has to be,
 * also where one is given twice in different places.
 */
export function requestOf(
  { binding, values }: BoundPath,
  query: Iterable<readonly [string, string]>,
  body: JsonValue | undefined,
): object {
  const type = binding.rpc.resolvedRequestType!;
  let request = bodyRequest(binding, body);
  binding.template.variables.forEach(({ field }, index) => {
    request = withPathValue(type, request, field, values[index]!);
  });
  const fixed = new Set(binding.template.variables.map(({ field }) => field.map(camel).join(".")));
  let parameters = 0;
  for (const [key, text] of query) {
    if (++parameters > parametersMax) throw invalid(`the query has more than ${parametersMax} parameters`);
    const names = namesOf(key);
    const isTaken = fixed.has(names.map(camel).join(".")) || binding.body === "*" || isBody(binding, names[0]!);
    if (isTaken) throw invalid(`the query has ${shownJson(key)}; needed: only what neither the path nor the body says`);
    request = withQueryValue(type, request, names, text, key);
  }
  return messageOfJson(type, request);
}

function bodyRequest({ body: place, httpMethod, template }: HttpBinding, body: JsonValue | undefined): JsonObject {
  if (body === undefined) return new Map();
  if (place === undefined) throw invalid(`${httpMethod} ${template.text} has no body; needed: an empty one`);
  if (place !== "*") return new Map([[place, body]]);
  if (!isObject(body)) throw invalid(`the body is ${shownJson(body)}; needed: an object`);
  return body;
}

/** The body may say the same, but nothing else. */
function withPathValue(type: protobuf.Type, tree: JsonObject, names: readonly string[], text: string): JsonObject {
  return withMember(type, tree, names, (said) => {
    if (said === undefined || said === null || said === text || said === "") return text;
    throw invalid(
      `${names.map(camel).join(".")} is ${shownJson(said)} in the body; needed: ${shownJson(text)}, as in the path`,
    );
  });
}

function withQueryValue(
  type: protobuf.Type,
  tree: JsonObject,
  names: readonly string[],
  text: string,
  key: string,
): JsonObject {
  return withMember(type, tree, names, (said, field) => {
    const value = queryValue(field, text);
    if (field?.repeated) return [...((said as readonly JsonValue[] | undefined) ?? []), value];
    if (said !== undefined) throw invalid(`the query has ${shownJson(key)} more than once; needed: one value`);
    return value;
  });
}

/** A tree with another value at the end of some names, the field of which is undefined where the value is one of a map. */
function withMember(
  type: protobuf.Type,
  tree: JsonObject,
  [name, ...rest]: readonly string[],
  leaf: (said: JsonValue | undefined, field: protobuf.Field | undefined) => JsonValue,
): JsonObject {
  const field = fieldNamed(type, name!);
  // What is unknown is refused with the whole request.
  const key =
    field === undefined ? name! : ([jsonName(field), field.name].find((each) => tree.has(each)) ?? jsonName(field));
  const said = tree.get(key);
  const changed = (member: JsonValue) => new Map([...tree, [key, member]]);
  if (rest.length === 0) return changed(leaf(said, field));
  const inner = isObject(said) ? said : new Map<string, JsonValue>();
  if (field?.map) {
    const entry = rest.join(".");
    return changed(new Map([...inner, [entry, leaf(inner.get(entry), undefined)]]));
  }
  if (field === undefined || field.repeated || !hasFields(field)) return changed(new Map([[rest.join("."), null]]));
  return changed(withMember(field.resolvedType as protobuf.Type, inner, rest, leaf));
}

/** A query has texts only; JSON takes a text for every kind but these. */
function queryValue(field: protobuf.Field | undefined, text: string): JsonValue {
  if (field === undefined || kindOf(field) !== "bool") return text;
  return text === "true" ? true : text === "false" ? false : text;
}

/** "a.b" is a field of a field, "tags[key]" an entry of a map. */
function namesOf(key: string): readonly string[] {
  const [, map, entry] = /^([A-Za-z_]+)\[([^\]]*)\]$/.exec(key) ?? [];
  return map === undefined ? key.split(".", levelsMax) : [map, entry!];
}

function isBody({ body }: HttpBinding, name: string): boolean {
  return body !== undefined && camel(body) === camel(name);
}

function hasFields(field: protobuf.Field): boolean {
  return kindOf(field) === "message" && !isTextType(field.resolvedType!.fullName);
}

function isBytes(type: protobuf.Type, name: string | undefined): boolean {
  return name !== undefined && type.fields[name]?.type === "bytes";
}

function camel(name: string): string {
  return jsonName({ name });
}

function invalid(message: string): ServiceError {
  return new ServiceError("REQUEST_INVALID", message);
}

const parametersMax = 1000;
const levelsMax = 16;
