import { Http2Server, type Http2ServerOptions } from "../../lib/http2/server.ts";
import type { Stream } from "../../lib/http2/stream.ts";
import { Heard } from "./heard.ts";

export const serverOptions: Http2ServerOptions = {
  streamWindowBytes: 256 * 1024,
  connectionWindowBytes: 1024 ** 2,
  countsHeld: true,
  headerBytesMax: 16_384,
  streamsMax: 100,
  connectionsMax: 20,
  handshakeTimeoutMs: 10_000,
  onFailure: (failure) => {
    throw failure;
  },
};

/** A stream that a server has taken, and what it has heard of it. */
export class TakenStream extends Heard {
  readonly stream: Stream;

  constructor(stream: Stream) {
    super();
    this.stream = stream;
  }

  /** An answer with a message and its end. */
  answer(bytes: Buffer): void {
    this.stream.respond({ ":status": 200 });
    this.stream.write(bytes);
    this.stream.end({ "grpc-status": "0" });
  }
}

/** A server that keeps what it takes; `act` does something with each at once. */
export async function startServer(
  act: (taken: TakenStream, path: string) => void = () => undefined,
  options: Partial<Http2ServerOptions> = {},
): Promise<{ readonly server: Http2Server; readonly port: number; readonly taken: TakenStream[] }> {
  const taken: TakenStream[] = [];
  const server = new Http2Server({ ...serverOptions, ...options }, (stream, headers) => {
    const one = new TakenStream(stream);
    one.headers = headers;
    taken.push(one);
    act(one, String(headers[":path"]));
    return one;
  });
  return { server, port: await server.listen("127.0.0.1", 0), taken };
}
