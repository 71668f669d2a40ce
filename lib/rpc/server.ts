import { setMaxListeners } from "node:events";
import {
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { systemClock } from "../clock.ts";
import { ServiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import { answers, servedDefinition } from "./answers.ts";
import type { AnyHandler, Handlers } from "./handlers.ts";
import { Health, type HealthSource, type ServingStatus } from "./health.ts";
import { type Http2Connections, type StreamHandler, setUpHttp2 } from "./http2-server.ts";
import { Keepalive } from "./keepalive.ts";
import { lightenStreams } from "./light-streams.ts";
import { type ServiceName, serviceDefinition } from "./protos.ts";
import { reflectionOf } from "./reflection.ts";
import { markUnreadablePrincipal } from "./unreadable-principal.ts";

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
}

/** The services of `implement`, health and reflection on one port. */
export class RpcServer {
  readonly #config: ServerConfig;
  readonly #log: Log;
  readonly #server: Server;
  readonly #connections: Http2Connections;
  readonly #health = new Health();
  readonly #draining = new AbortController();
  readonly #services = new Set<ServiceName>();
  readonly #handlers = new Map<string, StreamHandler>();

  constructor(config: ServerConfig, log: Log) {
    this.#config = config;
    this.#log = log;
    // Every open stream listens.
    setMaxListeners(0, this.#draining.signal);
    this.#server = new Server({
      "grpc.max_receive_message_length": config.messageBytesMax,
      "grpc.max_send_message_length": config.messageBytesMax,
      // Counts and dates of every call, for a service that is not served.
      "grpc.enable_channelz": 0,
    });
    const keepalive = new Keepalive(systemClock);
    this.#connections = setUpHttp2(this.#server, {
      receiveWindowBytes,
      connectionsMax: config.connectionsMax,
      handshakeTimeoutMs: config.handshakeTimeoutMs ?? 10_000,
      onSession: (session) => {
        lightenStreams(session);
        keepalive.watch(session);
      },
      onHeaders: markUnreadablePrincipal,
      handlers: this.#handlers,
    });
  }

  /**
   * Adds a service with a handler per method; what a handler throws becomes the call's status. `quiet` methods are logged
   * at debug level, all others at info level.
   */
  implement<Generated>(service: ServiceName, handlers: Handlers<Generated>, quiet: readonly string[] = []): void {
    this.#serve(serviceDefinition(service), handlers as Record<string, AnyHandler>, quiet);
    this.describe(service);
  }

  /** Hands every call of a method, by its path, to a handler that speaks HTTP/2 itself. */
  handle(path: string, handler: StreamHandler): void {
    this.#handlers.set(path, handler);
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
    for (const { definition, handlers } of reflectionOf([...this.#services])) {
      this.#serve(definition, handlers, Object.keys(definition));
    }
    const { host, port } = this.#config;
    const address = `${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;
    const bound = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(address, ServerCredentials.createInsecure(), (failure, boundPort) =>
        failure
          ? reject(new Error(`cannot listen on ${address}: ${failure.message}`, { cause: failure }))
          : resolve(boundPort),
      );
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
    const timer = setTimeout(() => {
      this.#server.forceShutdown();
      this.#connections.destroy();
    }, this.#config.drainTimeoutMs);
    this.#server.tryShutdown(() => undefined);
    await this.#connections.closed();
    clearTimeout(timer);
  }

  #serve(
    definition: ServiceDefinition,
    handlers: Readonly<Record<string, AnyHandler | undefined>>,
    quiet: readonly string[],
  ): void {
    const implementation: UntypedServiceImplementation = {};
    const served: Record<string, MethodDefinition<unknown, Buffer>> = {};
    for (const [name, method] of Object.entries(definition)) {
      served[name] = servedDefinition(method);
      const handler = handlers[name];
      if (handler === undefined) continue;
      const shared = { quiet: quiet.includes(name), draining: this.#draining.signal, log: this.#log };
      implementation[name] = answers({ definition: method, handler, ...shared });
    }
    this.#server.addService(served, implementation);
  }
}

/** Large enough that a megabyte does not wait for window updates on a fast network. */
const receiveWindowBytes = 4 * 1024 * 1024;
