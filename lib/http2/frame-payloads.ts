import { ConnectionFault, errorCode } from "./faults.ts";
import { frameFlag } from "./frames.ts";

/** The fault of a side that sends what it may not send. */
export function protocolFault(message: string): ConnectionFault {
  return new ConnectionFault(errorCode.protocol, message);
}

/** The number of a frame that has one. Throws a `ConnectionFault`. */
export function numberOf(payload: Buffer): number {
  if (payload.length === 4) return payload.readUInt32BE(0);
  throw new ConnectionFault(errorCode.frameSize, `a frame has ${payload.length} bytes; needed: 4`);
}

/** The payload of a DATA frame without what fills it up. Throws a `ConnectionFault`. */
export function unpadded(flags: number, payload: Buffer): Buffer {
  if (!(flags & frameFlag.padded)) return payload;
  const end = payload.length - (payload[0] ?? 0);
  if (end < 1) throw protocolFault("a frame is shorter than its padding");
  return payload.subarray(1, end);
}

/** Of a HEADERS frame the same, and without the priority, which nobody uses any longer. Throws a `ConnectionFault`. */
export function fragmentOf(flags: number, payload: Buffer): Buffer {
  const bytes = unpadded(flags, payload);
  if (!(flags & frameFlag.priority)) return bytes;
  if (bytes.length >= 5) return bytes.subarray(5);
  throw new ConnectionFault(errorCode.frameSize, "a frame is shorter than its priority");
}
