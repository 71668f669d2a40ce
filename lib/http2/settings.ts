import { ConnectionFault, errorCode } from "./faults.ts";
import { firstWindowBytes, frame, framePayloadBytesMax, frameType, windowBytesMax } from "./frames.ts";
import { tableBytesMax } from "./header-table.ts";

/** What one side wants of the other. Source: RFC 9113, section 6.5.2. */
export interface Settings {
  readonly headerTableBytes: number;
  /** Streams that the other side may have open. */
  readonly streamsMax: number;
  /** Of a stream that begins. */
  readonly windowBytes: number;
}

/** Before anybody has said something else. */
export const firstSettings: Settings = {
  headerTableBytes: tableBytesMax,
  streamsMax: Infinity,
  windowBytes: firstWindowBytes,
};

/** What is said here. */
export interface OwnSettings {
  readonly windowBytes: number;
  /** Of all headers of one block, as they count in tables. */
  readonly headerBytesMax: number;
  /** Undefined for a client, to whom nobody opens streams. */
  readonly streamsMax: number | undefined;
}

const number = {
  headerTableBytes: 1,
  enablePush: 2,
  streamsMax: 3,
  windowBytes: 4,
  frameBytesMax: 5,
  headerBytesMax: 6,
} as const;

/** The frame that says so. */
export function settingsFrame({ windowBytes, headerBytesMax, streamsMax }: OwnSettings): Buffer {
  const said: (readonly [number, number])[] = [
    [number.windowBytes, windowBytes],
    [number.headerBytesMax, headerBytesMax],
    streamsMax === undefined ? [number.enablePush, 0] : [number.streamsMax, streamsMax],
  ];
  const payload = Buffer.alloc(said.length * entryBytes);
  for (const [place, [key, value]] of said.entries()) {
    payload.writeUInt16BE(key, place * entryBytes);
    payload.writeUInt32BE(value, place * entryBytes + 2);
  }
  return frame(frameType.settings, 0, 0, payload);
}

/** What was said before, with what such a frame changes. Throws a `ConnectionFault`. */
export function settingsAfter(before: Settings, payload: Buffer): Settings {
  if (payload.length % entryBytes !== 0) {
    throw new ConnectionFault(errorCode.frameSize, `settings have ${payload.length} bytes; needed: 6 for each`);
  }
  const after = { ...before };
  for (let place = 0; place < payload.length; place += entryBytes) {
    const value = payload.readUInt32BE(place + 2);
    const key = payload.readUInt16BE(place);
    if (key === number.headerTableBytes) after.headerTableBytes = value;
    else if (key === number.streamsMax) after.streamsMax = value;
    else if (key === number.windowBytes) after.windowBytes = windowChecked(value);
    else if (key === number.frameBytesMax) checkFrameBytes(value);
  }
  return after;
}

function windowChecked(bytes: number): number {
  if (bytes <= windowBytesMax) return bytes;
  throw new ConnectionFault(
    errorCode.flowControl,
    `a window is to have ${bytes} bytes; needed: at most ${windowBytesMax}`,
  );
}

/** Whatever is allowed, larger ones than the least that all take are not made here, so that streams take turns. */
function checkFrameBytes(bytes: number): void {
  if (bytes >= framePayloadBytesMax && bytes < 2 ** 24) return;
  throw new ConnectionFault(
    errorCode.protocol,
    `frames are to have at most ${bytes} bytes; needed: ${framePayloadBytesMax} or more, of 24 bits`,
  );
}

const entryBytes = 6;
