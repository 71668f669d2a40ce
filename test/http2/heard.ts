import type { IncomingHttpHeaders } from "node:http2";
import type { ClientConnection } from "../../lib/http2/client.ts";
import type { Stream, StreamListener } from "../../lib/http2/stream.ts";

export const bounds = {
  streamWindowBytes: 256 * 1024,
  connectionWindowBytes: 1024 ** 2,
  countsHeld: false,
  headerBytesMax: 16_384,
};

/** What a stream has heard. */
export class Heard implements StreamListener {
  readonly events: string[] = [];
  headers: IncomingHttpHeaders | undefined;
  trailers: IncomingHttpHeaders | undefined;
  readonly chunks: Buffer[] = [];
  failure: string | undefined;
  onBytes: () => void = () => undefined;
  readonly closed: Promise<string | undefined>;
  #close!: (failure: string | undefined) => void;

  constructor() {
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
  }

  /** Those that came. */
  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  onHeaders(headers: IncomingHttpHeaders, isLast: boolean): void {
    this.events.push(isLast ? "trailers" : "headers");
    if (isLast) this.trailers = headers;
    else this.headers = headers;
  }

  onData(bytes: Buffer): void {
    if (this.events.at(-1) !== "data") this.events.push("data");
    this.chunks.push(Buffer.from(bytes));
    this.onBytes();
  }

  onEnd(): void {
    this.events.push("end");
  }

  onDrain(): void {
    this.events.push("drain");
  }

  onClose(failure: string | undefined): void {
    this.events.push("close");
    this.failure = failure;
    this.#close(failure);
  }
}

/** Begins a call of POST /. */
export function begin(client: ClientConnection): { readonly stream: Stream; readonly heard: Heard } {
  const heard = new Heard();
  const stream = client.request({ ":method": "POST", ":path": "/" }, heard);
  return { stream, heard };
}

/** What a connection has heard. */
export function connectionListener() {
  let close!: (failure: string | undefined) => void;
  const closed = new Promise<string | undefined>((resolve) => {
    close = resolve;
  });
  const told: string[] = [];
  return {
    closed,
    told,
    onReady: () => void told.push("ready"),
    onLeaving: () => void told.push("leaving"),
    onClose: (failure: string | undefined) => {
      told.push("close");
      close(failure);
    },
  };
}
