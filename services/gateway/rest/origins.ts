import type { FastifyReply, FastifyRequest } from "fastify";
import { ServiceError } from "../../../lib/errors.ts";

/**
 * Lets pages of other origins in that are allowed to: "*" allows all of them. Throws ORIGIN_REFUSED for all others, also for requests
 * that a browser sends without asking first. Answers whether the request was but a browser's question, and has its answer.
 *
 * Source: https://fetch.spec.whatwg.org/#http-cors-protocol
 */
export function checkOrigin(allowed: readonly string[], request: FastifyRequest, reply: FastifyReply): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || isOwn(origin, host)) return false;
  if (!allowed.includes("*") && !allowed.includes(origin)) {
    const seen = JSON.stringify(origin.slice(0, 200));
    throw new ServiceError(
      "ORIGIN_REFUSED",
      `pages of ${seen} may not call this gateway; needed: its origin in AMAAS_GATEWAY_HTTP_ORIGINS`,
    );
  }
  reply.header("access-control-allow-origin", origin).header("vary", "origin");
  reply.header("access-control-expose-headers", exposed);
  if (request.method !== "OPTIONS" || request.headers["access-control-request-method"] === undefined) return false;
  const wanted = request.headers["access-control-request-headers"];
  reply.header("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE").header("access-control-max-age", "600");
  if (wanted !== undefined) reply.header("access-control-allow-headers", wanted);
  reply.code(204);
  return true;
}

/** A page of this server itself. */
function isOwn(origin: string, host: string | undefined): boolean {
  return host !== undefined && /^https?:\/\//.test(origin) && origin.slice(origin.indexOf("//") + 2) === host;
}

const exposed = "amaas-node, amaas-version, inference-header-content-length, retry-after, x-request-id";
