import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http2";
import type { Log } from "../log.ts";
import type { Cancellation } from "./cancellation.ts";

/** The metadata key whose value is the same in every log line that one request causes, in every service. */
export const requestIdKey = "x-request-id";

/** The key that says who makes a call, as callers claim it. */
export const principalKey = "amaas-principal";

/** The key that says which model a call is for: to a gateway where its message does not, and to a node, where it wins. */
export const modelKey = "amaas-model";

/** The key that carries the version a gateway resolved, a number: to the node, where it wins, and back to the caller. */
export const versionKey = "amaas-version";

/** What a handler knows of the call besides its message. */
export interface CallContext {
  /** From the caller's `x-request-id`, or made here. */
  readonly requestId: string;
  /** When the caller stops waiting, in milliseconds since 1970; Infinity where it did not say. */
  readonly deadlineMs: number;
  /** Aborted when the caller cancels, its deadline passes, or the server has drained for as long as it may. */
  readonly signal: AbortSignal;
  /** The same, for calls that are over soon; its listeners have to be removed. */
  readonly cancellation: Cancellation;
  /** Aborted when the server begins to drain: streams that would go on for ever end here. */
  readonly draining: AbortSignal;
  /** What the caller sent besides messages. */
  readonly headers: IncomingHttpHeaders;
  /** Adds the request id to every line. */
  readonly log: Log;
}

/** The caller's request id, if it is a plain short text; a new one otherwise. */
export function requestIdOfText(given: unknown): string {
  return typeof given === "string" && /^[\x21-\x7e]{1,128}$/.test(given) ? given : randomUUID();
}
