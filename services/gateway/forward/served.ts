import type { OutgoingHttpHeaders } from "node:http2";
import { ServiceError } from "../../../lib/errors.ts";
import { modelKey, versionKey } from "../../../lib/rpc/call-context.ts";
import { status } from "../../../lib/rpc/status-code.ts";
import { type CallEnd, endOfThrown } from "../call/call-end.ts";
import { nodeKey } from "../call/crossing.ts";
import type { Route } from "../routed-model.ts";

/** What tells the node which model and which version, as a number, is meant, whatever the caller wrote. */
export function routeHeaders({ model, version }: Pick<Route, "model" | "version">): OutgoingHttpHeaders {
  return { [modelKey]: model, [versionKey]: String(version) };
}

/** What tells the caller which version and node answer. */
export function servedHeaders(route: Route, node: string): OutgoingHttpHeaders {
  return { [versionKey]: String(route.version), [nodeKey]: node };
}

/** The end that the caller of a routed call sees; what is not the node's own word is put into ours. */
export function servedEnd(end: CallEnd, route: Route, node: string, isOver: boolean): CallEnd {
  if (isOver) return end;
  const asked = `version ${route.version} of model '${route.model}'`;
  // The version exists, or there would be no route: the node was restarted, and the registry has not said so yet.
  if (end.code === status.NOT_FOUND) {
    const text = `${asked} is not ready: the node at ${node} does not hold it now`;
    return endOfThrown(new ServiceError("MODEL_NOT_READY", text, { retryDelayMs: 1000 }));
  }
  return explained(end, `the node at ${node}, asked for ${asked},`);
}

/**
 * Gives a failure of the connection a text that says who is missing, such as "the trainer at 127.0.0.1:8201". What the other side
 * said itself is answered unchanged, unless it is a dying one's CANCELLED.
 */
export function explained(end: CallEnd, who: string): CallEnd {
  const isSaid = end.trailers["grpc-status-details-bin"] !== undefined;
  if (!end.isLoss && (isSaid || !dying.has(end.code))) return end;
  const text = `${who} does not answer: ${end.details}`;
  return endOfThrown(new ServiceError("SERVICE_UNAVAILABLE", text, { retryDelayMs: 1000 }));
}

/** What a server without a word of its own says, or a proxy before it. */
const dying: ReadonlySet<number> = new Set([status.UNAVAILABLE, status.CANCELLED]);
