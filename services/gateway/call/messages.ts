import { ServiceError } from "../../../lib/errors.ts";
import { lengthChecked, malformedCall, prefixBytes } from "../../../lib/rpc/framing.ts";
import type { HeldBytes } from "../admission/request-bytes.ts";
import type { BodyBounds } from "./body-bounds.ts";
import { CallOver } from "./call-end.ts";
import type { IncomingCall } from "./incoming-call.ts";

/**
 * The message of a call that has one, with the bytes before it, all of which `held` counts. Rejects with REQUEST_INVALID where there is
 * none or more than one, with REQUEST_TOO_LARGE, with REQUEST_TIMEOUT where it comes too slowly, with QUEUE_FULL where too much is
 * held, and with `CallOver`.
 */
export async function onlyMessage(
  call: Pick<IncomingCall, "stream" | "onOver">,
  bounds: BodyBounds,
  held: HeldBytes,
): Promise<Buffer> {
  const { bytesMax } = bounds;
  const bytes = await read(call, bounds, (length, chunks) => {
    held.add(chunks.at(-1)!.length);
    if (length >= prefixBytes) checkLength(chunks, bytesMax);
    return length > prefixBytes + bytesMax;
  });
  if (bytes.length < prefixBytes)
    throw malformedCall(bytes.length === 0 ? "has no message" : "ends inside of its message");
  const extra = bytes.length - prefixBytes - bytes.readUInt32BE(1);
  if (extra !== 0) throw malformedCall(extra < 0 ? "ends inside of its message" : "has more than one message");
  return bytes;
}

/** Reads to the end, or until `isEnough` of what there is; then holds the rest back. */
function read(
  call: Pick<IncomingCall, "stream" | "onOver">,
  { idleMs, msMax }: BodyBounds,
  isEnough: (length: number, chunks: readonly Buffer[]) => boolean,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const { stream } = call;
    const chunks: Buffer[] = [];
    let length = 0;
    let forget: () => unknown = () => undefined;
    const beganMs = performance.now();
    const idle = setTimeout(() => fail(tooSlow(length)), idleMs);
    const release = () => {
      clearTimeout(idle);
      stream.off("data", take).off("end", end).pause();
      forget();
    };
    const end = () => {
      release();
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length));
    };
    const fail = (failure: unknown) => {
      release();
      reject(failure);
    };
    const take = (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      idle.refresh();
      try {
        if (performance.now() - beganMs > msMax) throw tooSlow(length);
        if (isEnough(length, chunks)) end();
      } catch (refusal) {
        fail(refusal);
      }
    };
    stream.on("data", take).on("end", end);
    forget = call.onOver((why) => fail(new CallOver(why)));
  });
}

/** The fault of a message of which only so many bytes have come. */
export function tooSlow(length: number): ServiceError {
  return new ServiceError("REQUEST_TIMEOUT", `the message did not come in time; seen: ${length} bytes of it`);
}

/** That of the message; its prefix may lie in several chunks. */
function checkLength(chunks: readonly Buffer[], bytesMax: number): void {
  lengthChecked(chunks[0]!.length >= prefixBytes ? chunks[0]! : Buffer.concat(chunks), bytesMax);
}
