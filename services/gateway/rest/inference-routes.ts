import { ServiceError } from "../../../lib/errors.ts";
import type { BodyBounds } from "../call/body-bounds.ts";
import { readBody } from "./body.ts";
import { encodedMessage } from "./bound-request.ts";
import { callerOf } from "./caller.ts";
import { restType } from "./contracts.ts";
import { answerHeadersOf } from "./http-headers.ts";
import { inferenceOf } from "./infer-request.ts";
import { answeredInference, inferenceReply } from "./infer-response.ts";
import { jsonOfBytes } from "./json-body.ts";
import { isObject, type JsonObject, type JsonValue, shownJson } from "./json-text.ts";
import { parametersOf } from "./parameter-json.ts";
import { jsonOfMessage, tritonStyle } from "./proto-json-write.ts";
import { jsonReply, sendReply } from "./reply.ts";
import type { RestCalls } from "./rest-calls.ts";
import type { RestRequest } from "./rest-request.ts";
import type { RestRoute } from "./rest-server.ts";

/** What inference by HTTP needs. */
export interface InferenceParts {
  readonly calls: RestCalls;
  readonly bounds: { readonly body: BodyBounds; readonly jsonBytesMax: number };
}

/** The paths of the Open Inference Protocol, as KServe and Triton have them. */
export function inferenceRoutes(parts: InferenceParts): readonly RestRoute[] {
  const asked = (method: string) => (each: RestRequest) => answerAbout(parts, each, method);
  return [
    route("GET", "/v2", asked("ServerMetadata")),
    route("GET", "/v2/health/live", (each) => answerState(parts, each, "ServerLive", "live")),
    route("GET", "/v2/health/ready", (each) => answerState(parts, each, "ServerReady", "ready")),
    ...modelRoutes("GET", "", asked("ModelMetadata")),
    ...modelRoutes("GET", "/ready", (each) => answerState(parts, each, "ModelReady", "ready")),
    ...modelRoutes("GET", "/config", (each) => answerAbout(parts, each, "ModelConfig", "config")),
    ...modelRoutes("GET", "/stats", asked("ModelStatistics")),
    ...modelRoutes("POST", "/infer", (each) => answerInference(parts, each)),
    route("POST", "/v2/repository/index", (each) => answerIndex(parts, each)),
    route("POST", "/v2/repository/models/:model/load", (each) => answerControl(parts, each, "RepositoryModelLoad")),
    route("POST", "/v2/repository/models/:model/unload", (each) => answerControl(parts, each, "RepositoryModelUnload")),
  ];
}

function route(method: string, url: string, handle: RestRoute["handle"]): RestRoute {
  return { methods: [method], url, handle };
}

function modelRoutes(method: string, suffix: string, handle: RestRoute["handle"]): readonly RestRoute[] {
  return ["/v2/models/:model", "/v2/models/:model/versions/:version"].map((url) => route(method, url + suffix, handle));
}

/** Answers with what a call says of the server or of a model, or with a field of it. */
async function answerAbout(parts: InferenceParts, each: RestRequest, method: string, field?: string): Promise<void> {
  const { json, headers } = await called(parts, each, method, {});
  await sendReply(each.request, each.reply, jsonReply(field === undefined ? json : (json.get(field) ?? null), headers));
}

/** As load balancers ask it: the status says it too. */
async function answerState(
  parts: InferenceParts,
  each: RestRequest,
  method: string,
  flag: "live" | "ready",
): Promise<void> {
  const { json, headers } = await called(parts, each, method, {});
  const { model } = modelOf(each);
  const said = new Map<string, JsonValue>(model === undefined ? json : [["name", model], ...json]);
  await sendReply(each.request, each.reply, {
    ...jsonReply(said, headers),
    status: json.get(flag) === true ? 200 : 503,
  });
}

async function answerIndex(parts: InferenceParts, each: RestRequest): Promise<void> {
  const ready = (await jsonBody(parts, each)).get("ready") ?? false;
  if (typeof ready !== "boolean") throw invalid("ready", ready, "true or false");
  const { json, headers } = await called(parts, each, "RepositoryIndex", { ready });
  await sendReply(each.request, each.reply, jsonReply(json.get("models") ?? [], headers));
}

async function answerControl(parts: InferenceParts, each: RestRequest, method: string): Promise<void> {
  const parameters = parametersOf((await jsonBody(parts, each)).get("parameters"), "parameters");
  const { headers } = await called(parts, each, method, { model_name: modelOf(each).model, parameters });
  await sendReply(each.request, each.reply, jsonReply(new Map(), headers));
}

async function answerInference({ calls, bounds }: InferenceParts, each: RestRequest): Promise<void> {
  const { request, reply, held } = each;
  const body = await readBody(request.raw, bounds.body, held);
  const length = headLength(request.headers["inference-header-content-length"], body.length);
  const json = jsonOfBytes(body.subarray(0, length), bounds.jsonBytesMax, { isNonFiniteAllowed: true });
  const { model = "", version = "" } = modelOf(each);
  const { message, isBinary } = inferenceOf(model, version, json, body.subarray(length));
  const answer = await calls.infer(callerOf(request, reply), "ModelInfer", message);
  const whole = inferenceReply(answeredInference(answer.message), isBinary, bounds.jsonBytesMax);
  await sendReply(request, reply, { ...whole, headers: { ...answerHeadersOf(answer.headers), ...whole.headers } });
}

/** The length of the JSON before binary data. */
function headLength(header: string | string[] | undefined, bodyLength: number): number {
  if (header === undefined) return bodyLength;
  const length = /^\d{1,10}$/.test(String(header)) ? Number(header) : Number.NaN;
  if (length > 0 && length <= bodyLength) return length;
  throw invalid(
    "inference-header-content-length",
    String(header),
    `the bytes of the JSON, 1 to ${bodyLength}, those of the body`,
  );
}

/** Calls a method about the model of the path; answers its reply as clients of Triton have it. */
async function called({ calls }: InferenceParts, each: RestRequest, method: string, fields: object) {
  const { model, version } = modelOf(each);
  const request = encodedMessage(restType(`inference.${method}Request`), { name: model, version, ...fields });
  const answer = await calls.infer(callerOf(each.request, each.reply), method, request);
  const type = restType(`inference.${method}Response`);
  const json = jsonOfMessage(type, type.decode(answer.message), tritonStyle) as JsonObject;
  return { json, headers: answerHeadersOf(answer.headers) };
}

function modelOf({ request }: RestRequest): { readonly model?: string; readonly version?: string } {
  return request.params as { readonly model?: string; readonly version?: string };
}

/** An object; an empty one where there is no body. */
async function jsonBody({ bounds }: InferenceParts, { request, held }: RestRequest): Promise<JsonObject> {
  const bytes = await readBody(request.raw, bounds.body, held);
  const json = jsonOfBytes(bytes, bounds.jsonBytesMax, { isNonFiniteAllowed: true }) ?? new Map();
  if (!isObject(json)) throw invalid("the body", json, "an object");
  return json;
}

function invalid(what: string, seen: JsonValue | undefined, needed: string): ServiceError {
  return new ServiceError("REQUEST_INVALID", `${what} is ${shownJson(seen)}; needed: ${needed}`);
}
