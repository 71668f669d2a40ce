import { type Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { withoutHopByHop } from "./metadata.ts";
import type { CallHead, Upstream } from "./upstream.ts";

/** How a call with one message each way ended. */
export interface UnaryReply {
  readonly status: StatusObject;
  /** What came before the message; missing if the other side sent nothing but a status, or could not be reached. */
  readonly metadata: Metadata | undefined;
  /** There if the status is OK. */
  readonly message: Buffer | undefined;
}

/** Where cancellation comes from: a server call of grpc-js. */
export interface Cancellable {
  readonly cancelled: boolean;
  once(event: "cancelled", listener: () => void): unknown;
  off(event: "cancelled", listener: () => void): unknown;
}

/** Sends one message and waits for the end of the call; never rejects. The caller's cancellation cancels the call. */
export function forwardUnary(
  upstream: Upstream,
  head: CallHead,
  message: Buffer,
  caller: Cancellable,
): Promise<UnaryReply> {
  return new Promise((resolve) => {
    let metadata: Metadata | undefined;
    let reply: Buffer | undefined;
    const call = upstream.open(head, {
      onReceiveMetadata: (received) => {
        metadata = withoutHopByHop(received);
      },
      onReceiveMessage: (received) => {
        if (reply !== undefined) return call.cancelWithStatus(status.INTERNAL, "more than one message came back");
        reply = received;
        call.startRead();
      },
      onReceiveStatus: (ended) => {
        caller.off("cancelled", cancel);
        withoutHopByHop(ended.metadata);
        const isComplete = ended.code !== status.OK || reply !== undefined;
        const final = isComplete ? ended : { ...ended, code: status.INTERNAL, details: "no message came back" };
        resolve({ status: final, metadata, message: reply });
      },
    });
    const cancel = () => call.cancelWithStatus(status.CANCELLED, "the caller cancelled the call");
    caller.once("cancelled", cancel);
    call.sendMessageWithContext({}, message);
    call.halfClose();
    call.startRead();
  });
}
