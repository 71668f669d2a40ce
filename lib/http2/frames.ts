/** Source: RFC 9113, section 6. */
export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const frameFlag = { acknowledge: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;

/** Before the payload of every frame. */
export const frameHeadBytes = 9;

/** What every side takes; nobody is asked for more here. */
export const framePayloadBytesMax = 16_384;

/** What a client begins with. */
export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** Windows before anybody has said something else. */
export const firstWindowBytes = 65_535;

/** What no window may be above. */
export const windowBytesMax = 2 ** 31 - 1;

/** A frame with a payload, or the bytes before one that is sent apart. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = nothing,
  payloadBytes = payload.length,
): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeadBytes + payload.length);
  bytes[0] = payloadBytes >>> 16;
  bytes[1] = payloadBytes >>> 8;
  bytes[2] = payloadBytes;
  bytes[3] = type;
  bytes[4] = flags;
  bytes[5] = stream >>> 24;
  bytes[6] = stream >>> 16;
  bytes[7] = stream >>> 8;
  bytes[8] = stream;
  bytes.set(payload, frameHeadBytes);
  return bytes;
}

/** A frame whose payload are numbers of 32 bits. */
export function frameOfNumbers(type: number, flags: number, stream: number, ...numbers: readonly number[]): Buffer {
  const bytes = frame(type, flags, stream, new Uint8Array(4 * numbers.length));
  for (const [place, number] of numbers.entries()) bytes.writeUInt32BE(number, frameHeadBytes + 4 * place);
  return bytes;
}

const nothing = new Uint8Array();
