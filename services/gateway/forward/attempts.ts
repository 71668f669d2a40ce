import type { OutgoingHttpHeaders } from "node:http2";
import { status } from "@grpc/grpc-js";
import type { IncomingCall } from "../call/incoming-call.ts";
import { headOf } from "./call-head.ts";
import type { Connections } from "./connections.ts";
import { type Exchanged, exchange } from "./exchange.ts";

/** How a call that several replicas could answer ended, and where. */
export interface ReplicaAnswer extends Exchanged {
  /** The address of the node that was asked last. */
  readonly node: string;
}

/** A call that several replicas could answer. */
export interface ReplicaCall {
  readonly call: IncomingCall;
  /** With the bytes before it. */
  readonly message: Buffer;
  /** What the node gets besides the caller's headers. */
  readonly own: OutgoingHttpHeaders;
  /** What the caller sees besides the node's headers. */
  readonly servedBy: (node: string) => OutgoingHttpHeaders;
  /** Chooses one of the replicas that have not been asked yet. */
  readonly choose: (addresses: readonly string[]) => string;
}

/**
 * Sends an idempotent call to one of several replicas; where that node was lost before any of its answer was there, or no longer
 * holds the version, once more to another one. The deadline and the caller's cancellation cover all attempts. Never rejects;
 * `replicas` is not empty.
 */
export async function forwardToReplica(
  replicas: readonly string[],
  nodes: Connections,
  { call, message, own, servedBy, choose }: ReplicaCall,
): Promise<ReplicaAnswer> {
  let candidates = replicas;
  for (let attempt = 1; ; attempt++) {
    const node = choose(candidates);
    const answer = await exchange(nodes.at(node), call, {
      head: headOf(call, own),
      send: (stream) => stream.end(message),
      own: servedBy(node),
      isEager: false,
    });
    candidates = candidates.filter((address) => address !== node);
    const isLast = attempt === attemptsMax || candidates.length === 0 || answer.isBegun;
    if (isLast || call.over !== undefined || !isLost(answer)) return { ...answer, node };
  }
}

const attemptsMax = 2;

/** Whether the node, or the way to it, or the version on it, is gone. CANCELLED is what a dying grpc-js says. */
function isLost({ end: { code } }: Exchanged): boolean {
  return code === status.UNAVAILABLE || code === status.CANCELLED || code === status.NOT_FOUND;
}
