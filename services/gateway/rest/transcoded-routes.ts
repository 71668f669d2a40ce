import { type BoundRequest, boundRequest, messageOfRequest, type RequestBounds } from "./bound-request.ts";
import { callerOf } from "./caller.ts";
import type { BindingTable } from "./http-bindings.ts";
import { answerHeadersOf } from "./http-headers.ts";
import { jsonOfMessage, protoStyle } from "./proto-json-write.ts";
import { jsonReply, sendReply, type WholeReply } from "./reply.ts";
import type { RestCalls } from "./rest-calls.ts";
import type { RestRequest } from "./rest-request.ts";
import { sendBytes } from "./sent-bytes.ts";
import { resumed, sendEvents } from "./sent-events.ts";
import { type CallForm, formOf } from "./transcode.ts";
import { takeUpload } from "./upload.ts";

/** What transcoding needs. */
export interface TranscodedParts {
  readonly calls: RestCalls;
  readonly table: BindingTable;
  readonly bounds: RequestBounds;
}

/** Answers a request for one of the paths that the annotations of the contracts give. */
export async function answerTranscoded(parts: TranscodedParts, request: RestRequest): Promise<void> {
  const bound = boundRequest(parts.table, request);
  await answers[formOf(bound.binding)](parts, bound);
}

const answers: Record<CallForm, (parts: TranscodedParts, each: BoundRequest) => Promise<void>> = {
  single: async ({ calls, bounds }, each) => {
    const message = await messageOfRequest(each, bounds);
    const answer = await calls.pass(callerOf(each.request, each.reply), each.binding.rpcPath, message);
    await sendReply(each.request, each.reply, messageReply(each, answer.message, answerHeadersOf(answer.headers)));
  },
  upload: async ({ calls, bounds }, each) => {
    const answer = await takeUpload(calls, each, bounds.body);
    await sendReply(each.request, each.reply, messageReply(each, answer.message, answerHeadersOf(answer.headers)));
  },
  events: async ({ calls, bounds }, each) => sendEvents(calls, each, await messageOfRequest(resumed(each), bounds)),
  download: async ({ calls, bounds }, each) => sendBytes(calls, each, await messageOfRequest(each, bounds)),
};

function messageReply({ binding }: BoundRequest, message: Buffer, headers: WholeReply["headers"]): WholeReply {
  const type = binding.rpc.resolvedResponseType!;
  return jsonReply(jsonOfMessage(type, type.decode(message), protoStyle), headers);
}
