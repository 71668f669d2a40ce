import type protobuf from "protobufjs";
import { ServiceError } from "../../../lib/errors.ts";
import type { BodyBounds } from "../call/body-bounds.ts";
import { readBody } from "./body.ts";
import type { BindingTable, BoundPath } from "./http-bindings.ts";
import { jsonOfBytes } from "./json-body.ts";
import { parsePath } from "./path-template.ts";
import { otherMethods, type RestRequest, unknownPath } from "./rest-request.ts";
import { requestOf } from "./transcode.ts";

/** A request that a binding says, and the way back. */
export interface BoundRequest extends BoundPath, RestRequest {
  readonly query: readonly (readonly [string, string])[];
}

/** What bodies of requests may hold. */
export interface RequestBounds {
  readonly body: BodyBounds;
  /** Largest JSON, in bytes. */
  readonly jsonBytesMax: number;
}

/** Finds the binding of a request; throws PATH_UNKNOWN, and METHOD_NOT_ALLOWED where its path has others. */
export function boundRequest(table: BindingTable, each: RestRequest): BoundRequest {
  const { request } = each;
  const [path = "", ...rest] = request.url.split("?");
  const parsed = parsePath(path);
  const all = parsed === undefined ? [] : table.match(parsed);
  const bound = all.find(({ binding }) => binding.httpMethod === request.method);
  if (bound !== undefined) {
    return { ...bound, ...each, query: queryOf(rest.join("?")) };
  }
  if (all.length === 0) throw unknownPath(request);
  throw otherMethods(each, all.map(({ binding }) => binding.httpMethod).join(", "));
}

/** The parameters of a query; `URLSearchParams` alone takes anything for one, and puts other characters for what is no UTF-8. */
function queryOf(text: string): BoundRequest["query"] {
  try {
    if (!/[^\x21-\x7e]/.test(text)) return decodeURIComponent(text) === "" ? [] : [...new URLSearchParams(text)];
  } catch {
    // Refused below.
  }
  const seen = JSON.stringify(text.slice(0, 60));
  throw new ServiceError("REQUEST_INVALID", `the query is ${seen}; needed: ASCII, and escapes that are UTF-8`);
}

/** The message that a request says as a whole. */
export async function messageOfRequest(each: BoundRequest, bounds: RequestBounds): Promise<Buffer> {
  const { binding, request, query, held } = each;
  const bytes = await readBody(request.raw, bounds.body, held);
  const json = jsonOfBytes(bytes, bounds.jsonBytesMax, { isNonFiniteAllowed: false });
  return encodedMessage(binding.rpc.resolvedRequestType!, requestOf(each, query, json));
}

/** A message of plain fields as bytes. */
export function encodedMessage(type: protobuf.Type, message: object): Buffer {
  return type.encode(message).finish() as Buffer;
}
