import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { FrameSplitter } from "../../../lib/http2/frame-splitter.ts";
import {
  frame,
  frameFlag,
  frameOfNumbers,
  framePayloadBytesMax,
  frameType,
  preface,
} from "../../../lib/http2/frames.ts";
import { HeaderEncoder } from "../../../lib/http2/header-encoder.ts";
import { framed } from "../../../lib/rpc/framing.ts";

/** Calls of a method on one connection. */
export interface CallsToMake {
  readonly port: number;
  /** "/package.Service/Method". */
  readonly path: string;
  /** Encoded requests, sent in turn. */
  readonly requests: readonly Uint8Array[];
  readonly count: number;
  /** Calls at the same time. */
  readonly inFlight: number;
  /** Whether others need the cores: then calls are made one at a time, with pauses between them. */
  readonly givesWay: () => boolean;
  /** Once it is aborted no more are sent. */
  readonly signal: AbortSignal;
}

/**
 * Makes calls as clients do, and looks at answers only as far as to see that they are some: it shares its thread with who answers, and a
 * real client would cost several times as much. Settles with their number once all that were sent are answered; rejects where one is
 * refused, or the connection ends before.
 */
export async function makeCalls(calls: CallsToMake): Promise<number> {
  const socket = connect({ host: "127.0.0.1", port: calls.port }).setNoDelay(true);
  try {
    await once(socket, "connect");
    socket.write(
      Buffer.concat([
        preface,
        frame(frameType.settings, 0, 0),
        frameOfNumbers(frameType.windowUpdate, 0, 0, windowBytes),
      ]),
    );
    return await new Promise((resolve, reject) => new Calling(socket, calls, resolve, reject).begin());
  } finally {
    socket.destroy();
  }
}

class Calling {
  readonly #socket: Socket;
  readonly #calls: CallsToMake;
  readonly #onEnd: (answered: number) => void;
  readonly #onFailure: (failure: Error) => void;
  readonly #headers = new HeaderEncoder();
  readonly #frames = new FrameSplitter((type, flags, stream) => this.#take(type, flags, stream));
  /** Streams whose reply has come and whose status has not. */
  readonly #replied = new Set<number>();
  #sent = 0;
  #answered = 0;
  #pause: NodeJS.Timeout | undefined;

  constructor(
    socket: Socket,
    calls: CallsToMake,
    onEnd: (answered: number) => void,
    onFailure: (failure: Error) => void,
  ) {
    this.#socket = socket;
    this.#calls = calls;
    this.#onEnd = onEnd;
    this.#onFailure = onFailure;
  }

  begin(): void {
    this.#socket.on("data", (bytes: Buffer) => {
      this.#frames.push(bytes);
      this.#goOn();
    });
    this.#socket.on("error", this.#onFailure);
    this.#socket.on("close", () => this.#onFailure(new Error("the connection was closed")));
    this.#goOn();
  }

  #take(type: number, flags: number, stream: number): void {
    if (type === frameType.data) this.#replied.add(stream);
    else if (type === frameType.settings && !(flags & frameFlag.acknowledge)) {
      this.#socket.write(frame(frameType.settings, frameFlag.acknowledge, 0));
    } else if (type === frameType.headers && flags & frameFlag.endStream) {
      if (this.#replied.delete(stream)) this.#answered++;
      else this.#onFailure(new Error("a call was refused"));
    }
  }

  #goOn(): void {
    if (!this.#calls.givesWay()) this.#send(this.#calls.inFlight);
    else this.#pause ??= setTimeout(() => this.#endPause(), pauseMs);
  }

  #endPause(): void {
    this.#pause = undefined;
    this.#send(1);
  }

  #send(inFlight: number): void {
    const { count, signal } = this.#calls;
    const frames: Buffer[] = [];
    while (!signal.aborted && this.#sent < count && this.#sent - this.#answered < inFlight)
      frames.push(...this.#next());
    if (frames.length > 0) this.#socket.write(Buffer.concat(frames));
    if (this.#answered === this.#sent) this.#onEnd(this.#answered);
  }

  #next(): Buffer[] {
    const { path, port, requests } = this.#calls;
    const stream = 2 * this.#sent + 1;
    const headers = {
      ":method": "POST",
      ":scheme": "http",
      ":path": path,
      ":authority": `127.0.0.1:${port}`,
      "content-type": "application/grpc",
      te: "trailers",
      // Many clients set deadlines, and many do not.
      "grpc-timeout": this.#sent % 2 === 0 ? "10S" : undefined,
    };
    const message = framed(requests[this.#sent % requests.length]!);
    this.#sent++;
    const head = frame(frameType.headers, frameFlag.endHeaders, stream, this.#headers.encode(headers));
    return [head, ...dataFrames(stream, message)];
  }
}

function dataFrames(stream: number, bytes: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / framePayloadBytesMax) }, (_, place) => {
    const end = (place + 1) * framePayloadBytesMax;
    const flags = end >= bytes.length ? frameFlag.endStream : 0;
    return frame(frameType.data, flags, stream, bytes.subarray(place * framePayloadBytesMax, end));
  });
}

/** So that it is two hundred calls a second at most on a connection where others make calls too: a few hundredths of a core. */
const pauseMs = 5;

/** All that is answered fits into it. */
const windowBytes = 2 ** 30;
