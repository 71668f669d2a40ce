import { once, setMaxListeners } from "node:events";
import {
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { ServiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { CallContext } from "./call-context.ts";
import type { AnyHandler, Handlers } from "./handlers.ts";
import { Health, type ServingStatus } from "./health.ts";
import { reflectedPackage, type ServiceName, serviceDefinition } from "./protos.ts";
import { type AnyCall, ServerCall } from "./server-call.ts";
import { statusOf } from "./status.ts";

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
}

/** The services of `implement`, health and reflection on one port. */
export class RpcServer {
  readonly #config: ServerConfig;
  readonly #log: Log;
  readonly #server: Server;
  readonly #health = new Health();
  readonly #draining = new AbortController();
  readonly #services = new Set<ServiceName>();

  constructor(config: ServerConfig, log: Log) {
    this.#config = config;
    this.#log = log;
    // Every open stream listens.
    setMaxListeners(0, this.#draining.signal);
    this.#server = new Server({
      "grpc.max_receive_message_length": config.messageBytesMax,
      "grpc.max_send_message_length": config.messageBytesMax,
      "grpc-node.flow_control_window": flowControlWindowBytes,
      // A peer that vanished without a word is noticed, and its streams end.
      "grpc.keepalive_time_ms": 20_000,
      "grpc.keepalive_timeout_ms": 5000,
    });
  }

  /**
   * Adds a service with a handler per method; what a handler throws becomes the call's status. `quiet` methods are logged
   * at debug level, all others at info level.
   */
  implement<Generated>(service: ServiceName, handlers: Handlers<Generated>, quiet: readonly string[] = []): void {
    const definition = serviceDefinition(service);
    const implementation: UntypedServiceImplementation = {};
    const checked: Record<string, MethodDefinition<unknown, unknown>> = {};
    for (const [name, method] of Object.entries(definition)) {
      checked[name] = { ...method, requestDeserialize: tolerant(method.requestDeserialize) };
      const handler = (handlers as Record<string, AnyHandler | undefined>)[name];
      if (handler !== undefined) implementation[name] = this.#wrapped(method, handler, quiet.includes(name));
    }
    this.#server.addService(checked, implementation);
    this.describe(service);
  }

  /** Adds methods that are handled outside, as bytes. */
  add(
    service: ServiceName,
    definition: Record<string, MethodDefinition<Buffer, Buffer>>,
    calls: UntypedServiceImplementation,
  ): void {
    this.#server.addService(definition, calls);
    this.describe(service);
  }

  /** Makes reflection list a service. */
  describe(service: ServiceName): void {
    this.#services.add(service);
  }

  /** Aborted when the server begins to drain. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  /** What a handler outside of `implement` needs to know of a call. */
  contextOf(call: AnyCall): CallContext {
    return new ServerCall(call, this.#draining.signal, this.#log);
  }

  /** Listens; answers the port. Health says SERVING from here on. */
  async start(): Promise<number> {
    this.implement("grpc.health.v1.Health", this.#health.handlers(), ["Check", "Watch", "List"]);
    new ReflectionService(reflectedPackage([...this.#services]), { services: [...this.#services] }).addToServer({
      addService: (definition, calls) =>
        this.#server.addService(definition, endedByDrain(calls, this.#draining.signal)),
    });
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

  /** NOT_SERVING, ends endless streams, finishes accepted calls within the drain time, then closes. */
  async stop(): Promise<void> {
    this.setHealth("NOT_SERVING");
    this.#draining.abort(new ServiceError("DRAINING", "the server is shutting down; connect to another one"));
    const timer = setTimeout(() => this.#server.forceShutdown(), this.#config.drainTimeoutMs);
    await new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    clearTimeout(timer);
  }

  #wrapped(method: MethodDefinition<unknown, unknown>, handler: AnyHandler, quiet: boolean): UntypedHandleCall {
    const answer = method.requestStream || method.responseStream ? answerStream : answerUnary;
    return (
      call: ServerUnaryCall<unknown, unknown> | ServerDuplexStream<unknown, unknown>,
      callback?: sendUnaryData<unknown>,
    ) => {
      const begin = performance.now();
      const context = new ServerCall(call, this.#draining.signal, this.#log);
      const finish = (fault: unknown) => logCall(this.#log, context.requestId, method.path, quiet, begin, fault);
      answer({ method, handler, call, callback, context }).then(finish, finish);
    };
  }
}

/** Makes streams that are handled outside end when a drain begins. */
function endedByDrain(calls: UntypedServiceImplementation, draining: AbortSignal): UntypedServiceImplementation {
  const ended = Object.entries(calls).map(([name, handle]) => [
    name,
    (call: ServerDuplexStream<unknown, unknown>) => {
      const end = () => call.emit("error", statusOf(draining.reason));
      draining.addEventListener("abort", end, { once: true });
      call.once("cancelled", () => draining.removeEventListener("abort", end));
      (handle as (call: ServerDuplexStream<unknown, unknown>) => void)(call);
    },
  ]);
  return Object.fromEntries(ended);
}

/** Large enough that a megabyte does not wait for window updates on a fast network (HTTP/2's default is 64 KiB). */
const flowControlWindowBytes = 4 * 1024 * 1024;

interface Answering {
  readonly method: MethodDefinition<unknown, unknown>;
  readonly handler: AnyHandler;
  readonly call: AnyCall;
  readonly callback: sendUnaryData<unknown> | undefined;
  readonly context: ServerCall;
}

/** Answers a call; gives what to log as its failure, undefined if it did not fail. */
async function answerUnary({ handler, call, callback, context }: Answering): Promise<unknown> {
  try {
    const { request } = call as ServerUnaryCall<unknown, unknown>;
    const reply = await handler(wellFormed(request) as never, context);
    const cancelled = context.answered();
    callback?.(null, reply);
    return cancelled;
  } catch (thrown) {
    const cancelled = context.answered();
    callback?.(statusOf(thrown));
    return cancelled ?? thrown;
  }
}

/** Like `answerUnary`. */
async function answerStream({ method, handler, call, callback, context }: Answering): Promise<unknown> {
  const stream = call as ServerDuplexStream<unknown, unknown> & { readonly request: unknown };
  try {
    const input = method.requestStream ? wellFormedAll(stream) : wellFormed(stream.request);
    const output = handler(input as never, context);
    if (method.responseStream) await writeAll(stream, output as AsyncIterable<unknown>, context.signal);
    const reply = method.responseStream ? undefined : await output;
    const cancelled = context.answered();
    if (method.responseStream) stream.end();
    else callback?.(null, reply);
    return cancelled;
  } catch (thrown) {
    const cancelled = context.answered();
    if (callback) callback(statusOf(thrown));
    else stream.emit("error", statusOf(thrown));
    return cancelled ?? thrown;
  }
}

async function writeAll(
  stream: ServerDuplexStream<unknown, unknown>,
  messages: AsyncIterable<unknown>,
  signal: AbortSignal,
) {
  for await (const message of messages) {
    if (signal.aborted) return;
    if (!stream.write(message)) await once(stream, "drain", { signal });
  }
}

/** Bytes that are not a message of the expected type, kept until a handler can refuse them with the right status. */
class Malformed {
  readonly cause: unknown;
  constructor(cause: unknown) {
    this.cause = cause;
  }
}

function tolerant(deserialize: (bytes: Buffer) => unknown): (bytes: Buffer) => unknown {
  return (bytes) => {
    try {
      return deserialize(bytes);
    } catch (cause) {
      return new Malformed(cause);
    }
  };
}

function wellFormed(request: unknown): unknown {
  if (!(request instanceof Malformed)) return request;
  throw new ServiceError("REQUEST_INVALID", "the request is not a message of the method's type: malformed protobuf", {
    cause: request.cause,
  });
}

async function* wellFormedAll(stream: ServerDuplexStream<unknown, unknown>): AsyncGenerator<unknown> {
  // The end of the requests must not destroy the stream: replies may still follow.
  for await (const request of stream.iterator({ destroyOnReturn: false })) yield wellFormed(request);
}

function logCall(log: Log, requestId: string, path: string, quiet: boolean, begin: number, thrown: unknown): void {
  const fields = { requestId, method: path, durationMs: Math.round((performance.now() - begin) * 1000) / 1000 };
  if (thrown === undefined) {
    if (quiet) log.debug(fields, "call");
    else log.info(fields, "call");
    return;
  }
  if (thrown instanceof ServiceError && thrown.reason !== "INTERNAL") {
    log.info({ ...fields, status: thrown.status, reason: thrown.reason, detail: thrown.message }, "call refused");
  } else {
    log.error({ ...fields, status: status[status.INTERNAL], error: thrown }, "call failed");
  }
}
