import type protobuf from "protobufjs";
import type { HttpBinding } from "./http-bindings.ts";
import type { MessageSchemas, Schema } from "./openapi-schemas.ts";
import { isTextType, jsonName, kindOf } from "./proto-names.ts";
import { type CallForm, formOf } from "./transcode.ts";

/** The operation of a binding, and where it is. */
export interface Operation {
  readonly path: string;
  /** "get". */
  readonly method: string;
  readonly operation: Schema;
}

/** Describes a binding; `index` tells apart those of one call. */
export function operationOf(binding: HttpBinding, index: number, schemas: MessageSchemas): Operation {
  const { rpc, httpMethod } = binding;
  const comment = rpc.comment ?? "";
  const { path, names } = pathOf(binding);
  const operation = {
    operationId: index === 0 ? rpc.name : `${rpc.name}${index + 1}`,
    tags: [rpc.parent!.name],
    summary: comment.split(/(?<=[.;])\s/, 1)[0],
    description: comment,
    parameters: [...names.map(pathParameter), ...queryParameters(binding, schemas)],
    ...requestBody(binding, schemas),
    responses: { ...replies[formOf(binding)](schemas.of(rpc.resolvedResponseType!)), default: faultResponse },
  };
  return { path, method: httpMethod.toLowerCase(), operation };
}

/** What is answered instead of anything else. */
export const faultResponse: Schema = { $ref: "#/components/responses/Fault" };

/** "/v1/{name=models/*}:undelete" is "/v1/models/{model}:undelete". */
function pathOf({ template: { segments, verb, variables } }: HttpBinding) {
  const names: string[] = [];
  const parts = segments.map((literal, position) => {
    if (literal !== undefined) return literal;
    const variable = variables.find(({ begin, end }) => position >= begin && position < end);
    const collection = position === variable?.begin ? undefined : segments[position - 1];
    names.push(collection === undefined ? jsonName({ name: variable!.field.at(-1)! }) : singular(collection));
    return `{${names.at(-1)}}`;
  });
  return { path: `/${parts.join("/")}${verb === "" ? "" : `:${verb}`}`, names };
}

function singular(collection: string): string {
  return collection.replace(/(?<=as)es$|s$/, "");
}

function pathParameter(name: string): Schema {
  return { name, in: "path", required: true, schema: { type: "string" } };
}

/** What neither path nor body say; of messages within the request, their own fields. */
function queryParameters({ rpc, body, template }: HttpBinding, schemas: MessageSchemas): Schema[] {
  if (body === "*") return [];
  const bound = new Set(template.variables.map(({ field }) => field.join(".")));
  const parametersOf = (type: protobuf.Type, before: readonly string[]): Schema[] =>
    type.fieldsArray.flatMap((field) => {
      const names = [...before, field.name];
      if (bound.has(names.join(".")) || names.join(".") === body) return [];
      if (!isParameter(field)) {
        const isInner = before.length === 0 && !field.repeated && !field.map;
        return isInner ? parametersOf(field.resolvedType as protobuf.Type, names) : [];
      }
      const { description, ...schema } = schemas.ofField(field);
      const style = field.map ? { style: "deepObject", explode: true } : {};
      return [{ name: names.map((name) => jsonName({ name })).join("."), in: "query", description, schema, ...style }];
    });
  return parametersOf(rpc.resolvedRequestType!, []);
}

function isParameter(field: protobuf.Field): boolean {
  return kindOf(field) !== "message" || isTextType(field.resolvedType!.fullName);
}

function requestBody(binding: HttpBinding, schemas: MessageSchemas): Schema {
  const { rpc, body } = binding;
  if (body === undefined) return {};
  if (formOf(binding) === "upload") return { requestBody: { required: true, content: { [bytesType]: {} } } };
  const type = rpc.resolvedRequestType!;
  const schema = body === "*" ? schemas.of(type) : schemas.ofField(type.fields[body]!);
  return { requestBody: { content: { [jsonType]: { schema } } } };
}

const jsonType = "application/json";
const bytesType = "application/octet-stream";

const replies: Readonly<Record<CallForm, (schema: Schema) => Schema>> = {
  single: (schema) => ({ 200: { description: "The reply.", content: { [jsonType]: { schema } } } }),
  upload: (schema) => ({ 200: { description: "The reply.", content: { [jsonType]: { schema } } } }),
  download: () => ({ 200: { description: "The bytes.", content: { [bytesType]: {} } } }),
  events: (schema) => ({
    200: {
      description:
        'A message per event, whose id is its sequence, if it has one: send the last one back as "Last-Event-ID" to go on behind it. ' +
        'The last event is "end", or "error" with a Fault.',
      content: {
        "text/event-stream": { schema: { type: "string", contentMediaType: jsonType, contentSchema: schema } },
      },
    },
    204: { description: "There is nothing, and there will be nothing." },
  }),
};
