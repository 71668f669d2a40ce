/** Just enough of HTTP/2 to send unary gRPC calls without a client's costs. Source: RFC 9113, RFC 7541. */
export const frameType = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
} as const;

export const flag = { acknowledge: 1, endStream: 1, endHeaders: 4 } as const;

/** A frame that has arrived. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** What opens a connection: the preface, then settings and a window so wide that replies never wait. */
export function opening(): Buffer {
  const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  return Buffer.concat([preface, frame(frameType.settings, 0, 0), windowUpdate(wideWindowBytes)]);
}

/** Of a stream, or of the connection as a whole, which is 0. */
export function windowUpdate(bytes: number, stream = 0): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(frameType.windowUpdate, 0, stream, payload);
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, headBytes);
  return bytes;
}

/** Takes bytes as they come and gives the frames that are complete; these are valid until the next. The bytes may be used again after that. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  *read(bytes: Buffer): Generator<Frame> {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let begin = 0;
    while (all.length - begin >= headBytes) {
      const end = begin + headBytes + all.readUIntBE(begin, 3);
      if (end > all.length) break;
      const payload = all.subarray(begin + headBytes, end);
      yield { type: all[begin + 3]!, flags: all[begin + 4]!, stream: all.readUInt32BE(begin + 5), payload };
      begin = end;
    }
    this.#rest = Buffer.from(all.subarray(begin));
  }
}

/** A call as two frames; only the number of the stream has to be set before they are sent. */
export function callFrames(authority: string, path: string, message: Uint8Array): Buffer {
  const headers = Buffer.concat([
    // :method POST and :scheme http have places of their own in the table; the others are literals that no table keeps.
    Buffer.from([0x83, 0x86]),
    literal(":authority", authority),
    literal(":path", path),
    literal("content-type", "application/grpc"),
    literal("te", "trailers"),
  ]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  const data = frame(frameType.data, flag.endStream, 0, Buffer.concat([prefix, message]));
  return Buffer.concat([frame(frameType.headers, flag.endHeaders, 0, headers), data]);
}

/** How much of its windows a call takes: the payload of its second frame. */
export function dataBytesOf(call: Buffer): number {
  return call.readUIntBE(headBytes + call.readUIntBE(0, 3), 3);
}

/** Sets the number of the stream in both frames of a call that begins at a place. */
export function setStream(bytes: Buffer, stream: number, place = 0): void {
  bytes.writeUInt32BE(stream, place + 5);
  bytes.writeUInt32BE(stream, place + headBytes + bytes.readUIntBE(place, 3) + 5);
}

function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

function text(value: string): Buffer {
  if (value.length > 126)
    throw new Error(`${value.length} characters; needed: at most 126, so that one byte holds the length`);
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value, "latin1")]);
}

/** What makes the widest window of one that has the least; RFC 9113, 6.9. */
export const wideWindowBytes = 2 ** 31 - 1 - 65_535;

const headBytes = 9;
