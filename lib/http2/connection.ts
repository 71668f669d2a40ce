import type { Socket } from "node:net";
import { ConnectionFault, errorCode } from "./faults.ts";
import { FrameOutput } from "./frame-output.ts";
import { type FrameHandler, FrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import { firstWindowBytes, frame, frameFlag, framePayloadBytesMax, frameType, windowBytesMax } from "./frames.ts";
import type { HeaderBlock } from "./header-blocks.ts";
import { Intake } from "./intake.ts";
import { ReadyStreams } from "./ready-streams.ts";
import { ReceiveWindow } from "./receive-window.ts";
import { firstSettings, type Settings, settingsAfter } from "./settings.ts";
import type { Carrier, Stream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";
import type { WaitingBytes } from "./waiting-bytes.ts";

/** Bounds of a connection. */
export interface ConnectionBounds {
  /** What a stream may be sent before its listener takes it. */
  readonly streamWindowBytes: number;
  /** What may be on its way on all streams. */
  readonly connectionWindowBytes: number;
  /** Whether what streams hold for their listeners counts there as well, so that it is a bound of all that is held. */
  readonly countsHeld: boolean;
  /** Of the headers of one block, each with 32 more than its name and value. */
  readonly headerBytesMax: number;
  /** Where answers count that wait for whoever asked; they count nowhere without. */
  readonly waiting?: WaitingBytes | undefined;
}

/** Hears what happens to a connection. */
export interface ConnectionListener {
  /** The other side speaks HTTP/2: its first settings are there. */
  onReady(): void;
  /** No more streams can begin; those that are open go on. */
  onLeaving(): void;
  /** Once; all its streams are closed. Undefined where it ended well. */
  onClose(failure: string | undefined): void;
}

/** What both sides of an HTTP/2 connection have in common. Source: RFC 9113. */
export abstract class Http2Connection implements Carrier {
  abstract readonly isClient: boolean;
  readonly streamWindowBytes: number;
  protected readonly streams = new StreamTable<Stream>();
  protected readonly output: FrameOutput;
  readonly frames: FrameWriter;
  /** Takes what the socket has read. */
  readonly intake: Intake;
  readonly waiting: WaitingBytes | undefined;
  readonly #socket: Socket;
  readonly #listener: ConnectionListener;
  readonly #bounds: ConnectionBounds;
  readonly #reader: FrameReader;
  readonly #ready = new ReadyStreams();
  readonly #pings: (() => void)[] = [];
  #settings: Settings = firstSettings;
  #isReady = false;
  #isLeaving = false;
  #isClosed = false;
  #sendWindowBytes = firstWindowBytes;
  readonly #receiveWindow: ReceiveWindow;

  constructor(socket: Socket, bounds: ConnectionBounds, listener: ConnectionListener) {
    this.#socket = socket;
    this.#bounds = bounds;
    this.#listener = listener;
    this.streamWindowBytes = bounds.streamWindowBytes;
    this.waiting = bounds.waiting;
    this.#receiveWindow = new ReceiveWindow(bounds.connectionWindowBytes, (bytes) => this.frames.widen(0, bytes));
    this.#reader = new FrameReader(bounds.headerBytesMax, this.#handler);
    this.intake = new Intake((bytes) => this.receive(bytes), socket);
    this.output = new FrameOutput(socket, () => this.#sendData());
    this.frames = new FrameWriter(this.output);
    socket.setNoDelay(true);
    socket.on("error", (failure) => this.#lose(failure.message));
    socket.on("close", () => this.#lose("the connection was lost"));
  }

  /** A slice of what has come; the bytes may be used again after the call. */
  protected receive(bytes: Buffer): void {
    if (this.#isClosed) return;
    try {
      this.#reader.push(bytes);
    } catch (thrown) {
      if (!(thrown instanceof ConnectionFault)) throw thrown;
      this.#giveUp(thrown);
    }
  }

  /** Asks for a sign of life; answers whether it has, since only so many may be unanswered. */
  ping(onAnswer: () => void): boolean {
    if (this.#isClosed || this.#pings.length >= pingsMax) return false;
    this.#pings.push(onAnswer);
    this.frames.ping();
    return true;
  }

  /** Finishes the streams that have begun, and takes no others. */
  close(): void {
    if (!this.#isLeaving) {
      this.#isLeaving = true;
      this.#listener.onLeaving();
      if (!this.#isClosed) this.closeAfter(Infinity, "the connection takes no more calls");
    }
    this.#endIfIdle();
  }

  /** The streams that are open may be closed meanwhile. */
  forEachStream(callback: (stream: Stream) => void): void {
    this.streams.forEach(callback);
  }

  /** Ends it and its streams now, with the reason that they are told. */
  destroy(failure: string): void {
    this.#end(failure);
    this.#socket.destroy();
  }

  ready(stream: Stream): void {
    this.#ready.add(stream);
    this.output.schedule();
  }

  noteTaken(bytes: number): void {
    if (this.#bounds.countsHeld) this.#receiveWindow.noteTaken(bytes);
  }

  forget(stream: Stream): void {
    this.streams.delete(stream.id);
    this.beginMore();
    this.#endIfIdle();
  }

  /** Says what is wanted here. */
  protected sendSettings(streamsMax: number | undefined): void {
    const { streamWindowBytes, connectionWindowBytes, headerBytesMax } = this.#bounds;
    this.frames.sendSettings({ windowBytes: streamWindowBytes, headerBytesMax, streamsMax }, connectionWindowBytes);
  }

  protected get settings(): Settings {
    return this.#settings;
  }

  /** Whether streams may begin. */
  protected get isTaking(): boolean {
    return this.#isReady && !this.#isLeaving;
  }

  protected get isLeaving(): boolean {
    return this.#isLeaving;
  }

  protected get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether no stream is open, or still to begin. */
  protected get isIdle(): boolean {
    return this.streams.size === 0;
  }

  /** The last stream of the other side that was looked at. */
  protected abstract readonly lastTaken: number;
  /** Headers of a stream that is not open; throws a `ConnectionFault` where none may come. */
  protected abstract takeHeaders(block: HeaderBlock): void;
  /** The other side has reset a stream that is open. */
  protected abstract noteReset(): void;
  /** Whether a stream is open, or has been. */
  protected abstract hasBegun(stream: number): boolean;
  /** Settings have changed, or a stream is closed: one that waits may begin. */
  protected abstract beginMore(): void;
  /** Of the streams of this side none after that one is looked at, and none that waits begins. */
  protected abstract closeAfter(stream: number, failure: string): void;

  /** The socket has gone: what it had given before is looked at first. */
  #lose(failure: string): void {
    this.intake.finish();
    this.destroy(failure);
  }

  #endIfIdle(): void {
    if (!this.#isLeaving || this.#isClosed || !this.isIdle) return;
    this.frames.sendGoaway(this.lastTaken);
    this.output.flush();
    this.#end(undefined);
    this.#socket.destroySoon();
  }

  #giveUp({ code, message }: ConnectionFault): void {
    if (this.#isClosed) return;
    this.frames.sendGoaway(this.lastTaken, code);
    this.output.flush();
    this.#end(`the other side broke the protocol: ${message}`);
    this.#socket.destroySoon();
  }

  #end(failure: string | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.close();
    const reason = failure ?? "the connection was closed";
    this.streams.forEach((stream) => void stream.close(reason));
    this.closeAfter(0, reason);
    this.#listener.onClose(failure);
  }

  /** A frame of each stream in turn, as long as there is room. */
  #sendData(): void {
    while (this.output.waitingBytes <= outputBytesMax) {
      const stream = this.#ready.first;
      if (stream === undefined || (this.#sendWindowBytes === 0 && stream.queuedBytes > 0)) return;
      this.#ready.removeFirst();
      if (!stream.hasToSend) continue;
      const sent = stream.sendNext(Math.min(this.#sendWindowBytes, framePayloadBytesMax));
      this.#sendWindowBytes -= sent;
      this.#ready.add(stream);
    }
  }

  /** What the frames of the other side say. */
  readonly #handler: FrameHandler = {
    takeData: (id, payload, windowBytes, isLast) => {
      if (!this.#isClosed) this.#takeData(this.streams.get(id), payload, windowBytes, isLast);
    },
    takeBlock: (block) => this.#takeBlock(block),
    takeReset: (id, code) => this.#takeReset(this.streams.get(id), code),
    takeSettings: (payload) => this.#takeSettings(payload),
    takePing: (payload, isAnswer) => {
      if (isAnswer) this.#pings.shift()?.();
      else this.output.pushOwed(frame(frameType.ping, frameFlag.acknowledge, 0, payload));
    },
    takeGoaway: (lastStream) => {
      this.close();
      this.closeAfter(lastStream, "the other side takes no more calls");
    },
    takeWindow: (id, bytes) => this.#takeWindow(id, bytes),
    hasBegun: (id) => this.hasBegun(id),
  };

  #takeData(stream: Stream | undefined, payload: Buffer, windowBytes: number, isLast: boolean): void {
    this.#receiveWindow.noteReceived(windowBytes);
    if (stream === undefined || !this.#bounds.countsHeld) this.#receiveWindow.noteTaken(windowBytes);
    stream?.receiveData(payload, windowBytes, isLast);
  }

  #takeReset(stream: Stream | undefined, code: number): void {
    if (stream === undefined) return;
    this.noteReset();
    stream.receiveReset(code);
  }

  #takeBlock(block: HeaderBlock): void {
    const stream = this.streams.get(block.stream);
    if (stream === undefined) this.takeHeaders(block);
    else if (block.headers !== undefined) stream.receiveHeaders(block.headers, block.isLast);
    else stream.fail(errorCode.protocol, "the headers are too many, or not what headers may be");
  }

  #takeSettings(payload: Buffer): void {
    const { windowBytes } = this.#settings;
    this.#settings = settingsAfter(this.#settings, payload);
    this.frames.resizeTable(this.#settings.headerTableBytes);
    this.output.pushOwed(frame(frameType.settings, frameFlag.acknowledge, 0));
    const widened = this.#settings.windowBytes - windowBytes;
    if (widened !== 0) this.streams.forEach((stream) => void this.#widenStream(stream, widened));
    if (!this.#isReady) {
      this.#isReady = true;
      this.#listener.onReady();
    }
    this.beginMore();
  }

  #widenStream(stream: Stream, bytes: number): void {
    if (stream.widen(bytes)) return;
    throw new ConnectionFault(errorCode.flowControl, "the window of a stream became too wide");
  }

  #takeWindow(id: number, bytes: number): void {
    const code = bytes === 0 ? errorCode.protocol : errorCode.flowControl;
    const why = `a window grew by ${bytes} bytes`;
    if (id === 0) {
      this.#sendWindowBytes += bytes;
      if (bytes === 0 || this.#sendWindowBytes > windowBytesMax) throw new ConnectionFault(code, why);
      this.output.schedule();
      return;
    }
    const stream = this.streams.get(id);
    if (stream !== undefined && (bytes === 0 || !stream.widen(bytes))) stream.fail(code, why);
  }
}

/** What may wait for the system; more would wait there for slow readers. */
const outputBytesMax = 256 * 1024;
const pingsMax = 4;
