import { type Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { ServiceError } from "../../../lib/errors.ts";
import { deadlineMsOf, versionKey } from "../../../lib/rpc/call-context.ts";
import { statusOf } from "../../../lib/rpc/status.ts";
import type { Route } from "../routing.ts";
import { explained } from "./explain.ts";
import { nodeKey, withoutHopByHop } from "./metadata.ts";
import type { CallHead } from "./upstream.ts";

/** What a server call of grpc-js says about itself. */
export interface CallerHead {
  readonly metadata: Metadata;
  getPath(): string;
  getDeadline(): Date | number;
}

/**
 * How a routed call begins: with the caller's deadline, or the default where it has none, and the caller's metadata plus
 * the version as a number, whatever the caller wrote there. Throws DEADLINE_EXCEEDED where it is too late already.
 */
export function headOf(call: CallerHead, route: Route, defaultTimeoutMs: number): CallHead {
  const metadata = withoutHopByHop(call.metadata);
  metadata.set(versionKey, String(route.version));
  const path = call.getPath();
  const deadlineMs = deadlineMsOf(call.getDeadline());
  if (deadlineMs <= Date.now()) {
    throw new ServiceError("DEADLINE_EXCEEDED", "the deadline had already passed when the call arrived");
  }
  if (deadlineMs < Infinity || defaultTimeoutMs === Infinity) return { path, metadata, deadlineMs };
  return { path, metadata, deadlineMs: Date.now() + defaultTimeoutMs, defaultTimeoutMs };
}

/** Tells the caller which version and node answer. */
export function markServed(metadata: Metadata, { version }: Route, node: string): void {
  metadata.set(versionKey, String(version));
  metadata.set(nodeKey, node);
}

/** The status that the caller sees; what is not the node's own word is put into ours. */
export function servedStatus(ended: StatusObject, head: CallHead, route: Route, node: string, isCancelled: boolean) {
  const { defaultTimeoutMs } = head;
  if (ended.code === status.DEADLINE_EXCEEDED && defaultTimeoutMs !== undefined) {
    const text = `the call has no deadline, and the node at ${node} did not answer within the default of ${defaultTimeoutMs} ms`;
    return statusOf(new ServiceError("DEADLINE_EXCEEDED", text));
  }
  const asked = `version ${route.version} of model '${route.model}'`;
  // The version exists, or there would be no route: the node was restarted, and the registry has not said so yet.
  if (ended.code === status.NOT_FOUND) {
    const text = `${asked} is not ready: the node at ${node} does not hold it now`;
    return statusOf(new ServiceError("MODEL_NOT_READY", text, { retryDelayMs: 1000 }));
  }
  return explained(ended, `the node at ${node}, asked for ${asked},`, isCancelled);
}
