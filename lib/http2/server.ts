import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { systemClock } from "../clock.ts";
import { Keepalive } from "./keepalive.ts";
import { ServerConnection, type ServerConnectionBounds, type TakeStream } from "./server-connection.ts";
import type { Stream } from "./stream.ts";

/** What a server allows. */
export interface Http2ServerOptions extends ServerConnectionBounds {
  /** Connections at the same time, of which more are closed at once; undefined for no bound. */
  readonly connectionsMax: number | undefined;
  /** How long a connection may take until it speaks HTTP/2, in milliseconds. */
  readonly handshakeTimeoutMs: number;
  /** A connection could not be taken, for a reason of the system's; the server goes on. */
  readonly onFailure: (failure: Error) => void;
}

/** Takes the streams of callers, without encryption. Ends connections whose peers have vanished without a word. */
export class Http2Server {
  readonly #options: Http2ServerOptions;
  readonly #take: TakeStream;
  readonly #keepalive = new Keepalive(systemClock);
  readonly #connections = new Set<ServerConnection>();
  readonly #server = createServer((socket) => this.#accept(socket));

  constructor(options: Http2ServerOptions, take: TakeStream) {
    this.#options = options;
    this.#take = take;
    if (options.connectionsMax !== undefined) this.#server.maxConnections = options.connectionsMax;
  }

  /** Listens on a host and a port, 0 for one that the system chooses; answers the port. Rejects with the system's failure. */
  async listen(host: string, port: number): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, "listening");
    this.#server.on("error", this.#options.onFailure);
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no more connections, and no more streams on those that there are; settles when all have finished theirs. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const connection of this.#connections) connection.close();
    await closed;
  }

  /** Closes all connections at once. */
  destroy(): void {
    for (const connection of this.#connections) connection.destroy("the server was stopped");
  }

  /** The streams that are open may be closed meanwhile. */
  forEachStream(callback: (stream: Stream) => void): void {
    for (const connection of this.#connections) connection.forEachStream(callback);
  }

  #accept(socket: Socket): void {
    const timer = setTimeout(() => connection.destroy("the other side said nothing"), this.#options.handshakeTimeoutMs);
    let forget: () => void = () => undefined;
    const connection = new ServerConnection(socket, this.#options, this.#take, {
      onReady: () => {
        clearTimeout(timer);
        forget = this.#keepalive.watch(connection);
      },
      onLeaving: () => undefined,
      onClose: () => {
        clearTimeout(timer);
        forget();
        this.#connections.delete(connection);
      },
    });
    this.#connections.add(connection);
  }
}
