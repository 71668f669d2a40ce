import { promisify } from "node:util";
import { constants, deflate, gzip } from "node:zlib";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { CallEnd } from "../call/call-end.ts";
import { faultReply } from "./fault-reply.ts";
import { type JsonValue, jsonText } from "./json-text.ts";

/** An answer that is there as a whole. */
export interface WholeReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly contentType: string;
  readonly body: Buffer | string;
}

/** A reply of JSON. */
export function jsonReply(value: JsonValue, headers: WholeReply["headers"] = {}): WholeReply {
  return { headers, contentType: jsonType, body: jsonText(value) };
}

/** Sends a reply, compressed where the caller takes that and it saves something. */
export async function sendReply(request: FastifyRequest, reply: FastifyReply, whole: WholeReply): Promise<void> {
  const { status = 200, headers = {}, contentType } = whole;
  let body = typeof whole.body === "string" ? Buffer.from(whole.body) : whole.body;
  reply.code(status).headers(headers).header("content-type", contentType).header("vary", "accept-encoding");
  const encoding = encodingOf(String(request.headers["accept-encoding"] ?? ""));
  if (encoding !== undefined && body.length >= compressedBytesMin) {
    body = await compressors[encoding](body, { level: constants.Z_BEST_SPEED });
    reply.header("content-encoding", encoding);
  }
  await reply.send(body);
}

/** Says why there is no answer. */
export async function sendFault(request: FastifyRequest, reply: FastifyReply, end: CallEnd): Promise<void> {
  const { status, headers, body } = faultReply(end);
  // Whatever is still on its way of the request is not read.
  const close: Record<string, string> = request.raw.complete ? {} : { connection: "close" };
  await sendReply(request, reply, { status, headers: { ...headers, ...close }, contentType: jsonType, body });
}

/** The first of ours that the caller takes. Source: https://www.rfc-editor.org/rfc/rfc9110#name-accept-encoding */
function encodingOf(accepted: string): keyof typeof compressors | undefined {
  const taken = new Set<string>();
  for (const entry of accepted.toLowerCase().split(",")) {
    const [name, ...parameters] = entry.split(";").map((part) => part.trim());
    if (!parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))) taken.add(name!);
  }
  return (Object.keys(compressors) as (keyof typeof compressors)[]).find((name) => taken.has(name));
}

const compressors = { gzip: promisify(gzip), deflate: promisify(deflate) } as const;

const jsonType = "application/json";
/** Below that it is not worth the time. */
const compressedBytesMin = 1024;
