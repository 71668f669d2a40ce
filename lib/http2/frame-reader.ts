import { ConnectionFault, errorCode } from "./faults.ts";
import { fragmentOf, numberOf, protocolFault, unpadded } from "./frame-payloads.ts";
import { FrameSplitter } from "./frame-splitter.ts";
import { frameFlag, frameType, windowBytesMax } from "./frames.ts";
import { type HeaderBlock, HeaderBlocks } from "./header-blocks.ts";

/** Takes what the frames of a connection say, in their order. Payloads are valid during the call. */
export interface FrameHandler {
  /** `windowBytes` are those of the payload with what fills it up. */
  takeData(stream: number, payload: Buffer, windowBytes: number, isLast: boolean): void;
  takeBlock(block: HeaderBlock): void;
  takeReset(stream: number, code: number): void;
  takeSettings(payload: Buffer): void;
  takePing(payload: Buffer, isAnswer: boolean): void;
  /** The last stream that the other side has looked at. */
  takeGoaway(lastStream: number): void;
  /** 0 is the connection. */
  takeWindow(stream: number, bytes: number): void;
  /** Whether a stream is open, or has been. */
  hasBegun(stream: number): boolean;
}

/** Reads what a connection receives, frame by frame, and checks each for itself. */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #splitter = new FrameSplitter((type, flags, stream, payload) => this.#take(type, flags, stream, payload));
  readonly #blocks: HeaderBlocks;
  #isFirst = true;

  /** Of all headers of a block, as they count in tables. */
  constructor(headerBytesMax: number, handler: FrameHandler) {
    this.#blocks = new HeaderBlocks(headerBytesMax);
    this.#handler = handler;
  }

  /** The bytes may be used again after the call. Throws a `ConnectionFault`. */
  push(bytes: Buffer): void {
    this.#splitter.push(bytes);
  }

  #take(type: number, flags: number, stream: number, payload: Buffer): void {
    const { openStream } = this.#blocks;
    if (openStream !== undefined && (type !== frameType.continuation || stream !== openStream))
      throw protocolFault("a frame came between those of a header block");
    if (this.#isFirst && type !== frameType.settings) throw protocolFault("the first frame is no SETTINGS");
    this.#isFirst = false;
    const taker = takers[type];
    // Other types mean nothing here.
    if (taker === undefined) return;
    if (taker.of !== "either" && (taker.of === "connection") !== (stream === 0))
      throw protocolFault(`a frame of type ${type} came on stream ${stream}`);
    const mustHaveBegun = stream !== 0 && type !== frameType.headers && type !== frameType.continuation;
    if (mustHaveBegun && !this.#handler.hasBegun(stream)) throw protocolFault(`stream ${stream} has not begun`);
    taker.take(this.#handler, this.#blocks, { flags, stream, payload });
  }
}

/** A frame, and what it is about. */
interface TakenFrame {
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Takes the frames of one type. */
interface Taker {
  readonly of: "stream" | "connection" | "either";
  take(handler: FrameHandler, blocks: HeaderBlocks, frame: TakenFrame): void;
}

const takers: Readonly<Record<number, Taker>> = {
  [frameType.data]: {
    of: "stream",
    take: (handler, _, { flags, stream, payload }) =>
      handler.takeData(stream, unpadded(flags, payload), payload.length, (flags & frameFlag.endStream) !== 0),
  },
  [frameType.headers]: {
    of: "stream",
    take: (handler, blocks, { flags, stream, payload }) =>
      takeWhole(handler, blocks.begin(stream, flags, fragmentOf(flags, payload))),
  },
  [frameType.continuation]: {
    of: "stream",
    take: (handler, blocks, { flags, payload }) => {
      if (blocks.openStream === undefined) throw protocolFault("a CONTINUATION came without a header block");
      takeWhole(handler, blocks.continue(flags, payload));
    },
  },
  [frameType.resetStream]: {
    of: "stream",
    take: (handler, _, { stream, payload }) => handler.takeReset(stream, numberOf(payload)),
  },
  [frameType.settings]: {
    of: "connection",
    take: (handler, _, { flags, payload }) => {
      if (!(flags & frameFlag.acknowledge)) handler.takeSettings(payload);
      else if (payload.length > 0) throw sizeFault("an acknowledgement of SETTINGS has a payload");
    },
  },
  [frameType.ping]: {
    of: "connection",
    take: (handler, _, { flags, payload }) => {
      if (payload.length !== 8) throw sizeFault("a PING has not 8 bytes");
      handler.takePing(payload, (flags & frameFlag.acknowledge) !== 0);
    },
  },
  [frameType.goaway]: {
    of: "connection",
    take: (handler, _, { payload }) => {
      if (payload.length < 8) throw sizeFault("a GOAWAY has less than 8 bytes");
      handler.takeGoaway(payload.readUInt32BE(0) & windowBytesMax);
    },
  },
  [frameType.windowUpdate]: {
    of: "either",
    take: (handler, _, { stream, payload }) => handler.takeWindow(stream, numberOf(payload) & windowBytesMax),
  },
  [frameType.pushPromise]: {
    of: "stream",
    take: () => {
      throw protocolFault("nothing may be pushed");
    },
  },
};

function takeWhole(handler: FrameHandler, block: HeaderBlock | undefined): void {
  if (block !== undefined) handler.takeBlock(block);
}

function sizeFault(message: string): ConnectionFault {
  return new ConnectionFault(errorCode.frameSize, message);
}
