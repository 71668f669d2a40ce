import type { IncomingHttpHeaders } from "node:http2";
import { frameFlag, frameType } from "../../lib/http2/frames.ts";
import { HeaderBlocks } from "../../lib/http2/header-blocks.ts";
import { RawCaller } from "../http2/raw-caller.ts";
import { ping, type SentFrame } from "../http2/raw-peer.ts";
import { service } from "./served.ts";

/** What came back for a call: its headers and trailers, which are one where there is nothing between. */
export interface RawAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A caller of gRPC that says what a test tells it, frame by frame. */
export class RawGrpcCaller extends RawCaller {
  readonly #blocks = new HeaderBlocks(65_536);
  readonly #headers = new Map<SentFrame, IncomingHttpHeaders>();

  /** The frame that begins a call of a method of the registry, with these headers in the place of its own. */
  begin(stream: number, method: string, own: Readonly<Record<string, string>> = {}, flags = 0): Buffer {
    return this.call(stream, flags, { ":path": `/${service}/${method}`, "content-type": "application/grpc", ...own });
  }

  /** Settles once all that was sent has been looked at. */
  async looked(): Promise<void> {
    const isAnswer = ({ type, flags }: SentFrame) => type === frameType.ping && (flags & frameFlag.acknowledge) !== 0;
    const before = this.frames.filter(isAnswer).length;
    this.send(ping());
    await this.sent((sent) => isAnswer(sent) && this.frames.filter(isAnswer).length > before);
  }

  /** Settles once all of it is there. */
  async answer(stream: number): Promise<RawAnswer> {
    await this.sent((sent) => sent.stream === stream && (sent.flags & frameFlag.endStream) !== 0);
    const own = this.frames.filter((sent) => sent.stream === stream);
    // Blocks refer to those before them, of whatever stream.
    for (const frame of this.frames) {
      if (frame.type !== frameType.headers || this.#headers.has(frame)) continue;
      this.#headers.set(frame, this.#blocks.begin(frame.stream, frame.flags, frame.payload)!.headers!);
    }
    const blocks = own.filter(({ type }) => type === frameType.headers).map((frame) => this.#headers.get(frame)!);
    const body = Buffer.concat(own.filter(({ type }) => type === frameType.data).map(({ payload }) => payload));
    return { headers: blocks[0]!, trailers: blocks.at(-1)!, body };
  }
}
