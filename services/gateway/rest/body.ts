import type { IncomingMessage } from "node:http";
import { messageOf, ServiceError } from "../../../lib/errors.ts";
import { encodings, expanded, isEncoding } from "../../../lib/rpc/expand.ts";
import type { HeldBytes } from "../admission/request-bytes.ts";
import type { BodyBounds } from "../call/body-bounds.ts";
import { CallOver } from "../call/call-end.ts";
import { cancelled } from "../call/patience.ts";

/**
 * Reads the body of a request, expanded. Rejects with REQUEST_TOO_LARGE, with REQUEST_INVALID where it cannot be expanded, with
 * REQUEST_TIMEOUT where it comes too slowly, with QUEUE_FULL where too many bytes are held already, and with `CallOver` where its
 * caller goes away.
 */
export async function readBody(request: IncomingMessage, bounds: BodyBounds, held: HeldBytes): Promise<Buffer> {
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (!isEncoding(encoding) && encoding !== "identity") {
    const known = ["identity", ...encodings].join(", ");
    throw new ServiceError(
      "REQUEST_INVALID",
      `content-encoding is ${JSON.stringify(encoding)}; needed: one of ${known}`,
    );
  }
  const bytes = await received(request, bounds, held);
  if (encoding === "identity" || bytes.length === 0) return bytes;
  return expanded(bytes, encoding, bounds.bytesMax, held).catch((failure: unknown) => {
    if (failure instanceof ServiceError) throw failure;
    throw new ServiceError("REQUEST_INVALID", `the body cannot be decompressed: ${messageOf(failure)}`);
  });
}

function received(request: IncomingMessage, { bytesMax, idleMs, msMax }: BodyBounds, held: HeldBytes): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const announced = Number(request.headers["content-length"] ?? 0);
    if (announced > bytesMax) throw tooLarge(bytesMax);
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (finish: () => void) => {
      clearTimeout(idle);
      clearTimeout(whole);
      request.off("data", take).off("end", end).off("close", close).pause();
      finish();
    };
    const slow = () => settle(() => reject(tooSlow(length)));
    const idle = setTimeout(slow, idleMs);
    const whole = setTimeout(slow, msMax);
    const take = (chunk: Buffer) => {
      idle.refresh();
      length += chunk.length;
      chunks.push(chunk);
      try {
        if (length > bytesMax) throw tooLarge(bytesMax);
        held.add(chunk.length);
      } catch (refusal) {
        settle(() => reject(refusal));
      }
    };
    const end = () => settle(() => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length)));
    const close = () => settle(() => reject(new CallOver(cancelled)));
    request.on("data", take).on("end", end).on("close", close);
  });
}

function tooLarge(bytesMax: number): ServiceError {
  return new ServiceError("REQUEST_TOO_LARGE", `the body has more than ${bytesMax} bytes; needed: at most so many`);
}

function tooSlow(length: number): ServiceError {
  return new ServiceError("REQUEST_TIMEOUT", `the body did not come in time; seen: ${length} bytes of it`);
}
