import type { IncomingMessage } from "node:http";
import { ServiceError } from "../../../lib/errors.ts";
import type { Stream } from "../../../lib/http2/stream.ts";
import { framed } from "../../../lib/rpc/framing.ts";
import type { BodyBounds } from "../call/body-bounds.ts";
import { endOfThrown } from "../call/call-end.ts";
import { type BoundRequest, encodedMessage } from "./bound-request.ts";
import { callerOf } from "./caller.ts";
import type { RestCall } from "./rest-call.ts";
import type { Answer, RestCalls } from "./rest-calls.ts";
import { requestOf } from "./transcode.ts";

/**
 * Sends a body of bytes on as a stream: first the message that path and query say, then the body in pieces, as they come and at the
 * speed of the slower side. The size that the first message announces is that of the body where nobody says it.
 */
export async function takeUpload(calls: RestCalls, each: BoundRequest, bounds: BodyBounds): Promise<Answer> {
  const { binding, request, reply } = each;
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new ServiceError(
      "REQUEST_INVALID",
      `content-encoding is ${JSON.stringify(encoding)}; needed: none, for a body that is bytes`,
    );
  }
  const type = binding.rpc.resolvedRequestType!;
  const first = encodedMessage(type, requestOf(each, withSize(each), undefined));
  const piece = (bytes: Buffer) => framed(encodedMessage(type, { [binding.body!]: bytes }));
  const messages: Buffer[] = [];
  let begun: RestCall;
  let stop: () => void = () => undefined;
  const headers = await calls.stream(callerOf(request, reply), binding.rpcPath, {
    onBegin: (call) => {
      begun = call;
    },
    sending: {
      send: (stream) => {
        stream.write(framed(first));
        stop = sendBody(request.raw, stream, piece, {
          idleMs: bounds.idleMs,
          onIdle: (fault) => begun.giveUp(endOfThrown(fault)),
        });
      },
      onDrain: () => request.raw.resume(),
      onClose: () => stop(),
    },
    onMessage: (message) => messages.push(message) > 0,
  });
  return { message: messages[0] ?? Buffer.alloc(0), headers };
}

/** The query, with the size of the whole where it is not said: what is there already, and the body. */
function withSize({ binding, request, query }: BoundRequest): BoundRequest["query"] {
  const [header] = binding.template.variables[0]?.field ?? [];
  const said = new Map(query);
  const length = request.headers["content-length"];
  const isSaid = said.has(`${header}.sizeBytes`) || said.has(`${header}.size_bytes`);
  if (isSaid || length === undefined) return query;
  const offset = Number(said.get(`${header}.offset`) ?? 0);
  // An offset that is no number is refused for itself.
  return Number.isSafeInteger(offset) ? [...query, [`${header}.sizeBytes`, String(offset + Number(length))]] : query;
}

/** Until it is told to stop. */
function sendBody(
  body: IncomingMessage,
  stream: Stream,
  piece: (bytes: Buffer) => Buffer,
  { idleMs, onIdle }: { readonly idleMs: number; readonly onIdle: (fault: ServiceError) => void },
): () => void {
  const idle = setTimeout(() => {
    // Nobody has read while the other side was slow.
    if (body.isPaused()) idle.refresh();
    else onIdle(new ServiceError("REQUEST_TIMEOUT", `none of the body came for ${idleMs} ms`));
  }, idleMs);
  const send = (bytes: Buffer) => {
    idle.refresh();
    let isWelcome = true;
    for (let begin = 0; begin < bytes.length; begin += pieceBytesMax) {
      isWelcome = stream.write(piece(bytes.subarray(begin, begin + pieceBytesMax)));
    }
    if (!isWelcome) body.pause();
  };
  const end = () => stream.end();
  body.on("data", send).once("end", end);
  return () => {
    clearTimeout(idle);
    body.off("data", send).off("end", end);
  };
}

/** The registry takes no larger ones than 4 MiB. */
const pieceBytesMax = 1024 ** 2;
