import type { OutgoingHttpHeaders } from "node:http";
import type protobuf from "protobufjs";
import { framed } from "../../../lib/rpc/framing.ts";
import { CallOver } from "../call/call-end.ts";
import type { BoundRequest } from "./bound-request.ts";
import { callerOf } from "./caller.ts";
import { EventStream } from "./event-stream.ts";
import { faultReply } from "./fault-reply.ts";
import { jsonText } from "./json-text.ts";
import { jsonOfMessage, protoStyle } from "./proto-json-write.ts";
import type { RestCalls } from "./rest-calls.ts";

/** The fields by which a stream says where it is, and is told where to begin. */
const fields = { token: "sequence", after: "after_sequence", onlyNew: "only_new" } as const;

/**
 * The same request from where its caller has come to: whoever comes back to a stream says in `Last-Event-ID` which event it has seen
 * last. That wins over the query, which is the one of its first request.
 */
export function resumed(each: BoundRequest): BoundRequest {
  const seen = each.request.headers["last-event-id"];
  if (typeof seen !== "string" || !(fields.after in each.binding.rpc.resolvedRequestType!.fields)) return each;
  const places = new Set([fields.after, "afterSequence", fields.onlyNew, "onlyNew"]);
  return { ...each, query: [...each.query.filter(([key]) => !places.has(key)), [fields.after, seen]] };
}

/**
 * Answers with a stream's messages as events: each with its number, where it has one; last of all "end", or "error" with the status.
 * A stream that ends without any is answered with 204, at which a caller that comes back by itself stays away.
 */
export async function sendEvents(calls: RestCalls, each: BoundRequest, message: Buffer): Promise<void> {
  const { binding, request, reply } = each;
  const type = binding.rpc.resolvedResponseType!;
  const events = new EventStream(reply.raw, () => {
    reply.hijack();
    return reply.getHeaders() as OutgoingHttpHeaders;
  });
  try {
    await calls.stream(callerOf(request, reply), binding.rpcPath, {
      sending: { send: (stream) => stream.writeLast(framed(message)) },
      onMessage: (bytes, onDrained) => events.send(eventOf(type, bytes), onDrained),
    });
    if (events.isBegun) events.end({ event: "end", data: "{}" });
    else await reply.code(204).send();
  } catch (thrown) {
    if (!events.isBegun || !(thrown instanceof CallOver)) throw thrown;
    events.end({ event: "error", data: faultReply(thrown.end).body });
  } finally {
    events.stop();
  }
}

function eventOf(type: protobuf.Type, bytes: Buffer) {
  const message = type.decode(bytes);
  const data = jsonText(jsonOfMessage(type, message, protoStyle));
  if (!(fields.token in type.fields)) return { data };
  return { id: String((message as unknown as Record<string, unknown>)[fields.token]), data };
}
