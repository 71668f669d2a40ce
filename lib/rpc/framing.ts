import { messageOf, ServiceError } from "../errors.ts";
import { type ByteCount, encodings, expanded, isEncoding } from "./expand.ts";

/** A message with the bytes before it. */
export function framed(message: Uint8Array): Buffer {
  const bytes = begun(message.byteLength, prefixBytes + message.byteLength);
  bytes.set(message, prefixBytes);
  return bytes;
}

/** What is before a message of so many bytes. */
export function prefixOf(length: number): Buffer {
  return begun(length, prefixBytes);
}

function begun(length: number, bytes: number): Buffer {
  const begin = Buffer.allocUnsafe(bytes);
  begin[0] = 0;
  begin.writeUInt32BE(length, 1);
  return begin;
}

/**
 * What a frame holds, without compression; what becomes larger by that `held` counts. Throws or rejects with REQUEST_INVALID, with
 * UNSUPPORTED for an encoding that is not known, with REQUEST_TOO_LARGE where there are more than so many bytes, and with what `held`
 * throws.
 */
export function payloadOf(
  frame: Buffer,
  encoding: unknown,
  bytesMax: number,
  held: ByteCount,
): Buffer | Promise<Buffer> {
  const bytes = frame.subarray(prefixBytes);
  if (frame[0] === 0) return bytes;
  if (frame[0] !== 1 || !isEncoding(encoding)) {
    const isUnknown = frame[0] === 1 && encoding !== undefined && encoding !== "identity";
    throw new ServiceError(
      isUnknown ? "UNSUPPORTED" : "REQUEST_INVALID",
      `the call has a message of flag ${frame[0]} with grpc-encoding ${JSON.stringify(encoding)}; ` +
        `needed: 0, or 1 with one of ${encodings.join(", ")}`,
    );
  }
  return expanded(bytes, encoding, bytesMax, held).catch((failure: unknown) => {
    if (failure instanceof ServiceError) throw failure;
    throw malformedCall(`has a message that cannot be decompressed: ${messageOf(failure)}`);
  });
}

/** The length of a message, by the bytes before it, which begin at a place. Throws REQUEST_TOO_LARGE. */
export function lengthChecked(bytes: Buffer, bytesMax: number, place = 0): number {
  const length = bytes.readUInt32BE(place + 1);
  if (length <= bytesMax) return length;
  throw new ServiceError("REQUEST_TOO_LARGE", `the message has ${length} bytes; needed: at most ${bytesMax}`);
}

/** The fault of a call whose bytes are not what they should be. */
export function malformedCall(what: string): ServiceError {
  return new ServiceError("REQUEST_INVALID", `the call ${what}`);
}

/** Before each message: whether it is compressed, and its length. */
export const prefixBytes = 5;
