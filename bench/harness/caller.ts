import { once } from "node:events";
import { connect, type Socket } from "node:net";
import {
  callFrames,
  dataBytesOf,
  FrameReader,
  flag,
  frame,
  frameType,
  opening,
  setStream,
  windowUpdate,
} from "./frames.ts";

/** Whom one calls, and with what. */
export interface Calls {
  readonly port: number;
  /** "/package.Service/Method". */
  readonly path: string;
  /** The encoded requests as base64, sent in turn. */
  readonly requests: readonly string[];
}

/** What a caller tells. */
export interface CallerEvents {
  /** Calls were answered well: how long each took since it was due, in milliseconds. */
  readonly onAnswers: (latenciesMs: readonly number[]) => void;
  /** The server answered a call with a status and nothing else. */
  readonly onRefusal: () => void;
  /** The connection failed, or the server gave up a call. */
  readonly onFailure: (failure: Error) => void;
}

/** A call, and the number of its stream. */
interface WaitingCall {
  readonly call: Buffer;
  readonly stream: number;
}

/**
 * One connection that calls a method. It speaks HTTP/2 itself, so that a call costs a fraction of what it costs the server, and
 * the rate is the server's.
 */
export class Caller {
  readonly #socket: Socket;
  readonly #events: CallerEvents;
  readonly #frames = new FrameReader();
  readonly #calls: readonly Buffer[];
  /** When each call on its way was due, by its stream. */
  readonly #due = new Map<number, number>();
  /** Streams whose reply has come and whose status has not. */
  readonly #replied = new Set<number>();
  #next: number;
  #stream = 1;
  #readBytes = 0;
  /** What the server still takes on this connection. Calls are smaller than the window of a stream. */
  #windowBytes = firstWindowBytes;
  /** Calls that wait for the window, in their order. */
  readonly #waiting: WaitingCall[] = [];
  /** Memory that was written, for what is written next: the collections that new memory costs would count as the server's delays. */
  readonly #written: Buffer[] = [];

  /** Begins with the request at `place`, so that connections do not ask for the same at once. */
  constructor({ port, path, requests }: Calls, place: number, events: CallerEvents) {
    this.#events = events;
    this.#calls = requests.map((request) => callFrames(`127.0.0.1:${port}`, path, Buffer.from(request, "base64")));
    this.#next = place;
    const buffer = Buffer.allocUnsafeSlow(batchBytes);
    const callback = (length: number) => {
      this.#take(buffer.subarray(0, length));
      return true;
    };
    this.#socket = connect({ port, host: "127.0.0.1", onread: { buffer, callback } }).setNoDelay(true);
    this.#socket.on("error", events.onFailure);
    this.#socket.on("close", () => events.onFailure(new Error("the server closed the connection")));
  }

  /** Calls that are on their way. */
  get inFlight(): number {
    return this.#due.size;
  }

  /** When the calls on their way were due, on the clock of `performance`. */
  get dueMs(): readonly number[] {
    return [...this.#due.values()];
  }

  /** Settles once the server is connected; rejects where that fails. */
  async ready(): Promise<void> {
    await once(this.#socket, "connect");
    this.#socket.write(opening());
  }

  /** Sends one call for each time at which one is, or was, due; on the clock of `performance`. */
  send(dueMs: readonly number[]): void {
    for (const due of dueMs) {
      this.#due.set(this.#stream, due);
      this.#waiting.push({ call: this.#calls[this.#next++ % this.#calls.length]!, stream: this.#stream });
      this.#stream += 2;
    }
    this.#flush();
  }

  close(): void {
    this.#socket.removeAllListeners("close").destroy();
  }

  #take(bytes: Buffer): void {
    const latenciesMs: number[] = [];
    const nowMs = performance.now();
    for (const { type, flags, stream, payload } of this.#frames.read(bytes)) {
      if (type === frameType.data) {
        this.#replied.add(stream);
        this.#readBytes += payload.length;
      } else if (type === frameType.headers && flags & flag.endStream) {
        const dueMs = this.#due.get(stream)!;
        this.#due.delete(stream);
        if (this.#replied.delete(stream)) latenciesMs.push(nowMs - dueMs);
        else this.#events.onRefusal();
      } else if (type === frameType.windowUpdate && stream === 0) {
        this.#windowBytes += payload.readUInt32BE(0);
      } else if (type === frameType.resetStream || type === frameType.goAway) {
        this.#events.onFailure(new Error("the server gave up a call"));
      } else if ((type === frameType.settings || type === frameType.ping) && !(flags & flag.acknowledge)) {
        this.#socket.write(frame(type, flag.acknowledge, 0, type === frameType.ping ? payload : undefined));
      }
    }
    this.#widen();
    this.#flush();
    if (latenciesMs.length > 0) this.#events.onAnswers(latenciesMs);
  }

  /** Sends what the window has room for. */
  #flush(): void {
    let count = 0;
    let length = 0;
    for (const { call } of this.#waiting) {
      const bytes = dataBytesOf(call);
      if (bytes > this.#windowBytes) break;
      this.#windowBytes -= bytes;
      length += call.length;
      count++;
    }
    if (count > 0) this.#write(this.#waiting.splice(0, count), length);
  }

  #write(calls: readonly WaitingCall[], length: number): void {
    let batch = this.#written.pop();
    if (batch === undefined || batch.length < length) batch = Buffer.allocUnsafeSlow(Math.max(length, batchBytes));
    let place = 0;
    for (const { call, stream } of calls) {
      call.copy(batch, place);
      setStream(batch, stream, place);
      place += call.length;
    }
    this.#socket.write(batch.subarray(0, length), () => this.#written.push(batch));
  }

  /** Gives the connection's window back long before it is used up. */
  #widen(): void {
    if (this.#readBytes < 2 ** 29) return;
    this.#socket.write(windowUpdate(this.#readBytes));
    this.#readBytes = 0;
  }
}

/** What every connection begins with; RFC 9113, 6.9.2. */
const firstWindowBytes = 65_535;

/** What is read at once, and written at least. */
const batchBytes = 64 * 1024;
