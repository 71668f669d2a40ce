import { setMaxListeners } from "node:events";
import type { ServiceDefinition } from "@grpc/grpc-js";
import { messageOf, ServiceError } from "../errors.ts";
import { Http2Server } from "../http2/server.ts";
import type { TakeStream } from "../http2/server-connection.ts";
import type { StreamListener } from "../http2/stream.ts";
import type { WaitingBytes } from "../http2/waiting-bytes.ts";
import type { Log } from "../log.ts";
import { nobody, refuse } from "./answer.ts";
import { answers } from "./answers.ts";
import type { AnyHandler, Handlers } from "./handlers.ts";
import { Health, type HealthSource, type ServingStatus } from "./health.ts";
import { type ServiceName, serviceDefinition } from "./protos.ts";
import { reflectionOf } from "./reflection.ts";

/** How a server listens and drains. */
export interface ServerConfig {
  /** Host name or IP address to listen on. */
  readonly host: string;
  /** TCP port; 0 lets the system choose. */
  readonly port: number;
  /** Largest message in either direction, in bytes. */
  readonly messageBytesMax: number;
  /** How long accepted calls may go on after `stop`, in milliseconds. */
  readonly drainTimeoutMs: number;
  /** Connections at the same time; more are closed at once. Without it there is no bound. */
  readonly connectionsMax?: number;
  /** How long a new connection may take until it speaks HTTP/2, in milliseconds; default: ten seconds. */
  readonly handshakeTimeoutMs?: number;
  /** Where answers count that callers have not taken; they count nowhere without. */
  readonly waiting?: WaitingBytes;
}

/** How the calls of a service are answered. */
interface Implementation {
  readonly handlers: Readonly<Record<string, AnyHandler | undefined>>;
  /** Methods that are logged at debug level. */
  readonly quiet: readonly string[];
}

/** The services of `implement`, health and reflection on one port. */
export class RpcServer {
  readonly #config: ServerConfig;
  readonly #log: Log;
  readonly #server: Http2Server;
  readonly #health = new Health();
  readonly #draining = new AbortController();
  readonly #services = new Set<ServiceName>();
  readonly #implemented = new Map<ServiceName, Implementation>();
  /** By the paths of methods. */
  readonly #takers = new Map<string, TakeStream>();

  constructor(config: ServerConfig, log: Log) {
    this.#config = config;
    this.#log = log;
    // Every open stream listens.
    setMaxListeners(0, this.#draining.signal);
    const { connectionsMax, handshakeTimeoutMs = 10_000, waiting } = config;
    this.#server = new Http2Server(
      { ...bounds, connectionsMax, handshakeTimeoutMs, waiting, onFailure: (failure) => this.#noteFailure(failure) },
      this.#take,
    );
  }

  /**
   * Adds a service with a handler per method, before the server starts; what a handler throws becomes the call's status. `quiet` methods are logged
   * at debug level, all others at info level.
   */
  implement<Generated>(service: ServiceName, handlers: Handlers<Generated>, quiet: readonly string[] = []): void {
    this.#implemented.set(service, { handlers: handlers as Record<string, AnyHandler>, quiet });
    this.describe(service);
  }

  /** Hands every call of a method, by its path, to who speaks gRPC itself. */
  handle(path: string, take: TakeStream): void {
    this.#takers.set(path, take);
  }

  /** Those who hear of the calls that are open, whoever takes them. */
  forEachCall(callback: (listener: StreamListener) => void): void {
    this.#server.forEachStream(({ listener }) => {
      if (listener !== undefined) callback(listener);
    });
  }

  /** Makes reflection list a service. */
  describe(service: ServiceName): void {
    this.#services.add(service);
  }

  /** Aborted when the server begins to drain. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  /** Listens; answers the port. Health says SERVING from here on. */
  async start(): Promise<number> {
    this.implement("grpc.health.v1.Health", this.#health.handlers(), ["Check", "Watch", "List"]);
    for (const [service, { handlers, quiet }] of this.#implemented) {
      this.#serve(serviceDefinition(service), handlers, quiet);
    }
    for (const { definition, handlers } of reflectionOf([...this.#services])) {
      this.#serve(definition, handlers, Object.keys(definition));
    }
    const { host, port } = this.#config;
    const bound = await this.#server.listen(host.replace(/^\[(.*)\]$/, "$1"), port).catch((failure: unknown) => {
      throw new Error(`cannot listen on ${host}, port ${port}: ${messageOf(failure)}`, { cause: failure });
    });
    this.setHealth("SERVING");
    return bound;
  }

  /** Tells health checks of the whole server and of every service. */
  setHealth(status: ServingStatus): void {
    this.#health.set(["", ...this.#services], status);
  }

  /** Makes health checks ask a source first. */
  extendHealth(source: HealthSource): void {
    this.#health.extend(source);
  }

  /** What that source says may have changed. */
  noteHealthChange(): void {
    this.#health.noteChange();
  }

  /** NOT_SERVING, ends endless streams, finishes accepted calls within the drain time, then closes, by force what is left. */
  async stop(): Promise<void> {
    this.setHealth("NOT_SERVING");
    this.#draining.abort(new ServiceError("DRAINING", "the server is shutting down; connect to another one"));
    const timer = setTimeout(() => this.#server.destroy(), this.#config.drainTimeoutMs);
    await this.#server.close();
    clearTimeout(timer);
  }

  readonly #take: TakeStream = (stream, headers) => {
    if (headers[":method"] !== "POST") {
      stream.end({ ":status": "405", allow: "POST" });
      return nobody;
    }
    if (!String(headers["content-type"]).startsWith("application/grpc")) {
      stream.end({ ":status": "415" });
      return nobody;
    }
    const path = String(headers[":path"]);
    const take = this.#takers.get(path);
    if (take !== undefined) return take(stream, headers);
    return refuse(stream, new ServiceError("UNSUPPORTED", `The server does not implement the method ${path}`));
  };

  #noteFailure(failure: Error): void {
    this.#log.warn({ error: failure }, "a connection could not be taken");
  }

  #serve(definition: ServiceDefinition, handlers: Implementation["handlers"], quiet: readonly string[]): void {
    const { messageBytesMax } = this.#config;
    const shared = { messageBytesMax, draining: this.#draining.signal, log: this.#log };
    for (const [name, method] of Object.entries(definition)) {
      const handler = handlers[name];
      if (handler === undefined) continue;
      this.handle(method.path, answers({ definition: method, handler, quiet: quiet.includes(name), ...shared }));
    }
  }
}

const bounds = {
  /** Large enough that a megabyte does not wait for window updates on a fast network. */
  streamWindowBytes: 4 * 1024 ** 2,
  /** That of several streams which nobody reads, so that they do not hold up the others. */
  connectionWindowBytes: 32 * 1024 ** 2,
  countsHeld: true,
  headerBytesMax: 64 * 1024,
  streamsMax: 10_000,
};
