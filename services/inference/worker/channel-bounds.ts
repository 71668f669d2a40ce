import { ServiceError } from "../../../lib/errors.ts";
import type { Tensor } from "../../../lib/tensor.ts";
import type { ThreadReply } from "./thread-protocol.ts";

/** Throws REQUEST_INVALID where inputs are larger than a message between processes may be. */
export function checkCarriable(inputs: readonly Tensor[]): void {
  const seen = bytesOf(inputs);
  if (seen <= bytesMax) return;
  const message = `the inputs and states of a run have ${seen} bytes; needed: at most ${bytesMax} in a process of its own`;
  throw new ServiceError("REQUEST_INVALID", message);
}

/** The reply, or in its place the fault that its outputs are larger than a message between processes may be. */
export function carriable(reply: ThreadReply): ThreadReply {
  if (reply.kind !== "ran" || bytesOf(reply.outputs) <= bytesMax) return reply;
  const message = `the outputs have ${bytesOf(reply.outputs)} bytes; needed: at most ${bytesMax} from a process of its own`;
  return { kind: "failed", runId: reply.runId, reason: "RESPONSE_TOO_LARGE", message, metadata: {} };
}

/** Node reads the length of a message as a signed number of 32 bits, and a negative one ends the process that reads it. */
const bytesMax = 2 ** 31 - 2 ** 20;

function bytesOf(tensors: readonly Tensor[]): number {
  return tensors.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
}
