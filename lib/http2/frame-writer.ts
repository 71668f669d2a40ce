import type { OutgoingHttpHeaders } from "node:http2";
import { errorCode } from "./faults.ts";
import type { FrameOutput } from "./frame-output.ts";
import { firstWindowBytes, frame, frameFlag, frameOfNumbers, framePayloadBytesMax, frameType } from "./frames.ts";
import { HeaderEncoder } from "./header-encoder.ts";
import { type OwnSettings, settingsFrame } from "./settings.ts";

/** Says what one side of a connection has to say, in frames. */
export class FrameWriter {
  readonly #output: FrameOutput;
  readonly #encoder = new HeaderEncoder();

  constructor(output: FrameOutput) {
    this.#output = output;
  }

  /** The other side remembers at most so many bytes of headers from now on. */
  resizeTable(bytesMax: number): void {
    this.#encoder.resize(bytesMax);
  }

  /** In frames that follow each other. */
  sendHeaders(stream: number, headers: OutgoingHttpHeaders, isLast: boolean): void {
    const block = this.#encoder.encode(headers);
    let type: number = frameType.headers;
    let begin = 0;
    do {
      const end = Math.min(begin + framePayloadBytesMax, block.length);
      const flags =
        (begin === 0 && isLast ? frameFlag.endStream : 0) | (end === block.length ? frameFlag.endHeaders : 0);
      this.#output.push(frame(type, flags, stream, block.subarray(begin, end)));
      type = frameType.continuation;
      begin = end;
    } while (begin < block.length);
  }

  /** As one frame. */
  sendData(stream: number, bytes: Buffer, isLast: boolean): void {
    const flags = isLast ? frameFlag.endStream : 0;
    if (bytes.length <= joinedBytesMax) this.#output.push(frame(frameType.data, flags, stream, bytes));
    else {
      this.#output.push(frame(frameType.data, flags, stream, undefined, bytes.length));
      this.#output.push(bytes);
    }
  }

  sendReset(stream: number, code: number): void {
    this.#output.push(frameOfNumbers(frameType.resetStream, 0, stream, code));
  }

  /** Lets the other side send so much more; 0 is the connection. */
  widen(stream: number, bytes: number): void {
    this.#output.push(frameOfNumbers(frameType.windowUpdate, 0, stream, bytes));
  }

  /** Asks for a sign of life. */
  ping(): void {
    this.#output.push(frame(frameType.ping, 0, 0, new Uint8Array(8)));
  }

  /** Tells the other side which of its streams is the last that is looked at. */
  sendGoaway(lastStream: number, code: number = errorCode.none): void {
    this.#output.push(frameOfNumbers(frameType.goaway, 0, 0, lastStream, code));
  }

  /** What is wanted here, with the window of the connection. */
  sendSettings(settings: OwnSettings, connectionWindowBytes: number): void {
    this.#output.push(settingsFrame(settings));
    this.widen(0, connectionWindowBytes - firstWindowBytes);
  }
}

/** What is copied behind the head of its frame, rather than sent beside it. */
const joinedBytesMax = 2048;
