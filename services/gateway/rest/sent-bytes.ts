import type { OutgoingHttpHeaders } from "node:http";
import { framed } from "../../../lib/rpc/framing.ts";
import type { BoundRequest } from "./bound-request.ts";
import { callerOf } from "./caller.ts";
import type { RestCalls } from "./rest-calls.ts";

/**
 * Answers with the bytes in a stream's messages, as they come and at the speed of the slower side. Where the stream fails after it has
 * begun, the connection is cut: nothing else says in HTTP that bytes are missing.
 */
export async function sendBytes(calls: RestCalls, each: BoundRequest, message: Buffer): Promise<void> {
  const { binding, request, reply } = each;
  const { raw } = reply;
  const type = binding.rpc.resolvedResponseType!;
  const begin = () => {
    reply.hijack();
    raw.writeHead(200, { ...(reply.getHeaders() as OutgoingHttpHeaders), "content-type": "application/octet-stream" });
  };
  try {
    await calls.stream(callerOf(request, reply), binding.rpcPath, {
      sending: { send: (stream) => stream.writeLast(framed(message)) },
      onMessage: (bytes, onDrained) => {
        if (!raw.headersSent) begin();
        const chunk = (type.decode(bytes) as unknown as Record<string, Uint8Array>)[binding.responseBody!]!;
        if (raw.write(chunk)) return true;
        raw.once("drain", onDrained);
        return false;
      },
    });
    if (!raw.headersSent) begin();
    raw.end();
  } catch (thrown) {
    if (!raw.headersSent) throw thrown;
    raw.destroy();
  }
}
