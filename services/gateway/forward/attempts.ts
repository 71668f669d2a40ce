import { status } from "@grpc/grpc-js";
import { type Cancellable, forwardUnary, type UnaryReply } from "./unary.ts";
import type { CallHead } from "./upstream.ts";
import type { Upstreams } from "./upstreams.ts";

/** How a call that several replicas could answer ended, and where. */
export interface ReplicaReply extends UnaryReply {
  /** The address of the node that was asked last. */
  readonly node: string;
}

/** A call that several replicas could answer. */
export interface ReplicaCall {
  readonly head: CallHead;
  readonly message: Buffer;
  readonly caller: Cancellable;
  /** Chooses one of the replicas that have not been asked yet. */
  readonly choose: (addresses: readonly string[]) => string;
}

/**
 * Sends an idempotent call to one of several replicas; where that node was lost before its answer was complete, or
 * no longer holds the version, once more to another one. The deadline and the caller's cancellation cover all attempts. Never rejects; `replicas` is not empty.
 */
export async function forwardToReplica(
  replicas: readonly string[],
  nodes: Upstreams,
  { head, message, caller, choose }: ReplicaCall,
): Promise<ReplicaReply> {
  let candidates = replicas;
  for (let attempt = 1; ; attempt++) {
    const node = choose(candidates);
    const reply = await forwardUnary(nodes.at(node), head, message, caller);
    candidates = candidates.filter((address) => address !== node);
    const isLast = attempt === attemptsMax || candidates.length === 0;
    if (isLast || caller.cancelled || !isLost(reply)) return { ...reply, node };
  }
}

const attemptsMax = 2;

/**
 * Whether the node, or the way to it, or the version on it, is gone; the caller has seen nothing yet. CANCELLED is what a
 * dying grpc-js says.
 */
function isLost({ status: { code } }: UnaryReply): boolean {
  return code === status.UNAVAILABLE || code === status.CANCELLED || code === status.NOT_FOUND;
}
