import { type handleUnaryCall, type Metadata, type ServerUnaryCall, type StatusObject, status } from "@grpc/grpc-js";
import type { Log } from "../../../lib/log.ts";
import { requestIdKey, requestIdOf } from "../../../lib/rpc/call-context.ts";
import { type CallFields, logCall, statusOfThrown } from "./call-log.ts";

/** A call with one message, as bytes. Its metadata holds the request id. */
export type ByteCall = ServerUnaryCall<Buffer, Buffer>;

/** How the gateway answers a call with one message each way. */
export interface Answer {
  readonly status: StatusObject;
  /** Sent before the message. */
  readonly metadata?: Metadata | undefined;
  /** There if the status is OK. */
  readonly message?: Buffer | undefined;
  /** The address of the node that gave it, for the log. */
  readonly node?: string;
}

/** Makes a grpc-js handler that gives what `respond` answers; what it throws becomes the call's status. */
export function answerUnary(
  method: string,
  respond: (call: ByteCall) => Promise<Answer> | Answer,
  log: Log,
): handleUnaryCall<Buffer, Buffer> {
  return async (call, callback) => {
    const fields: CallFields = {
      requestId: requestIdOf(call.metadata),
      method,
      begin: performance.now(),
      quiet: true,
    };
    call.metadata.set(requestIdKey, fields.requestId);
    const answer = await answerOf(call, respond).catch((thrown) => ({ status: statusOfThrown(log, fields, thrown) }));
    const { status: ended, metadata, message, node }: Answer = answer;
    if (metadata !== undefined) call.sendMetadata(metadata);
    if (ended.code === status.OK) callback(null, message, ended.metadata);
    else callback(ended);
    logCall(log, fields, ended, node);
  };
}

async function answerOf(call: ByteCall, respond: (call: ByteCall) => Promise<Answer> | Answer): Promise<Answer> {
  return respond(call);
}
