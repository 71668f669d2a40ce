import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { callFrames, FrameReader, flag, frame, frameType, opening, setStream, windowUpdate } from "./frames.ts";

/** Calls of one method, over and over. */
export interface UnaryLoad {
  readonly port: number;
  /** "/package.Service/Method". */
  readonly path: string;
  /** The encoded requests as base64, sent in turn. */
  readonly requests: readonly string[];
  readonly connections: number;
  readonly inFlightPerConnection: number;
  readonly durationMs: number;
}

/** How many calls were answered, and in which time. */
export interface UnaryRate {
  readonly calls: number;
  readonly seconds: number;
}

/**
 * Calls as fast as the server answers. It speaks HTTP/2 itself, so that a call costs a fraction of what it costs the server, and
 * the rate is the server's. Throws if a call fails.
 */
export async function rate(load: UnaryLoad): Promise<UnaryRate> {
  const calls = load.requests.map((request) =>
    callFrames(`127.0.0.1:${load.port}`, load.path, Buffer.from(request, "base64")),
  );
  const connections = Array.from({ length: load.connections }, (_, place) => new Caller(load.port, calls, place));
  await Promise.all(connections.map((connection) => connection.ready()));
  const begin = performance.now();
  const answered = await Promise.all(
    connections.map((connection) => connection.run(load.inFlightPerConnection, load.durationMs)),
  );
  const seconds = (performance.now() - begin) / 1000;
  return { calls: answered.reduce((sum, count) => sum + count, 0), seconds };
}

class Caller {
  readonly #socket: Socket;
  readonly #frames = new FrameReader();
  readonly #calls: readonly Buffer[];
  /** Streams whose reply has come and whose status has not. */
  readonly #replied = new Set<number>();
  #next: number;
  #stream = 1;
  #inFlight = 0;
  #answered = 0;
  #readBytes = 0;
  #isOver = false;
  #settle: { readonly resolve: (answered: number) => void; readonly reject: (failure: Error) => void } | undefined;

  /** Begins with the call at `place`, so that connections do not ask for the same at once. */
  constructor(port: number, calls: readonly Buffer[], place: number) {
    this.#calls = calls;
    this.#next = place;
    this.#socket = connect(port, "127.0.0.1").setNoDelay(true);
    this.#socket.on("data", (bytes) => this.#take(bytes));
    this.#socket.on("error", (failure) => this.#settle?.reject(failure));
    this.#socket.on("close", () => this.#settle?.reject(new Error("the server closed the connection")));
  }

  async ready(): Promise<void> {
    await once(this.#socket, "connect");
    this.#socket.write(opening());
  }

  async run(inFlight: number, durationMs: number): Promise<number> {
    const done = new Promise<number>((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const timer = setTimeout(() => {
      this.#isOver = true;
    }, durationMs);
    this.#send(inFlight);
    try {
      return await done;
    } finally {
      clearTimeout(timer);
      this.#settle = undefined;
      this.#socket.destroy();
    }
  }

  #send(count: number): void {
    const buffers = Array.from({ length: count }, () => {
      const call = Buffer.from(this.#calls[this.#next++ % this.#calls.length]!);
      setStream(call, this.#stream);
      this.#stream += 2;
      return call;
    });
    this.#inFlight += count;
    this.#socket.write(Buffer.concat(buffers));
  }

  #take(bytes: Buffer): void {
    let ended = 0;
    for (const { type, flags, stream, payload } of this.#frames.read(bytes)) {
      if (type === frameType.data) {
        this.#replied.add(stream);
        this.#readBytes += payload.length;
      } else if (type === frameType.headers && flags & flag.endStream) {
        if (!this.#replied.delete(stream)) this.#settle?.reject(new Error("a call was refused"));
        ended++;
      } else if (type === frameType.resetStream || type === frameType.goAway) {
        this.#settle?.reject(new Error("the server gave up a call"));
      } else if ((type === frameType.settings || type === frameType.ping) && !(flags & flag.acknowledge)) {
        this.#socket.write(frame(type, flag.acknowledge, 0, type === frameType.ping ? payload : undefined));
      }
    }
    this.#widen();
    this.#inFlight -= ended;
    this.#answered += ended;
    if (!this.#isOver && ended > 0) this.#send(ended);
    else if (this.#isOver && this.#inFlight === 0) this.#settle?.resolve(this.#answered);
  }

  /** Gives the connection's window back long before it is used up. */
  #widen(): void {
    if (this.#readBytes < 2 ** 29) return;
    this.#socket.write(windowUpdate(this.#readBytes));
    this.#readBytes = 0;
  }
}
