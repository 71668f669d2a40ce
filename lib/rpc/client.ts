import { once } from "node:events";
import {
  type CallOptions,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type MethodDefinition,
} from "@grpc/grpc-js";
import { requestIdKey } from "./call-context.ts";
import type { MaybeEncoded } from "./encoded.ts";
import { type ServiceName, serviceDefinition } from "./protos.ts";

/** The types of the messages of a generated method: what one may leave out, the other has with defaults. */
interface Method<Request, Reply> {
  readonly requestSerialize: (request: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Reply;
}
type RequestOf<M> = M extends Method<infer Request, infer _> ? Request : never;
type ReplyOf<M> = M extends Method<infer _, infer Reply> ? Reply : never;
type MethodOf<Definition> = Extract<keyof Definition, string>;

/** What a single call may carry. */
export interface RpcOptions {
  /** How long to wait in milliseconds; without it and without `deadlineMs` there is no limit. */
  readonly timeoutMs?: number;
  /** When to stop waiting, in milliseconds since 1970. */
  readonly deadlineMs?: number;
  /** Sent as `x-request-id`. */
  readonly requestId?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Cancels the call. */
  readonly signal?: AbortSignal;
}

/** Messages as they come, or as they are. */
type Messages<Message> = AsyncIterable<MaybeEncoded<Message>> | Iterable<MaybeEncoded<Message>>;

/** Both directions of a call with two streams. */
export interface Duplex<Request, Reply> {
  readonly replies: AsyncIterable<Reply>;
  /** Settles when the message is buffered and more are welcome, or the call has ended: `replies` says how. */
  write(request: MaybeEncoded<Request>): Promise<void>;
  /** Says that no more requests come. */
  end(): void;
  /** Ends the call at once. */
  cancel(): void;
}

/** Largest message in either direction unless set, in bytes. */
const messageBytesMaxDefault = 256 * 1024 * 1024;

/** A typed client of one service; connects by itself and again after a loss. Errors are read with `remoteFaultOf`. */
export class RpcClient<Definition> {
  readonly #client: Client;
  readonly #service: ServiceName;

  constructor(service: ServiceName, address: string) {
    this.#service = service;
    this.#client = new Client(address, credentials.createInsecure(), channelDefaults);
  }

  /** One message out, one back. */
  unary<M extends MethodOf<Definition>>(
    method: M,
    request: MaybeEncoded<RequestOf<Definition[M]>>,
    options: RpcOptions = {},
  ): Promise<ReplyOf<Definition[M]>> {
    const { path, requestSerialize, responseDeserialize } = this.#method(method);
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadataOf(options),
        callOptionsOf(options),
        (failure, reply) => (failure ? reject(failure) : resolve(reply as ReplyOf<Definition[M]>)),
      );
      cancelWith(call, options.signal);
    });
  }

  /** One message out, many back; leaving the iteration cancels the call. */
  async *serverStream<M extends MethodOf<Definition>>(
    method: M,
    request: MaybeEncoded<RequestOf<Definition[M]>>,
    options: RpcOptions = {},
  ): AsyncGenerator<ReplyOf<Definition[M]>> {
    const { path, requestSerialize, responseDeserialize } = this.#method(method);
    const call = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadataOf(options),
      callOptionsOf(options),
    );
    cancelWith(call, options.signal);
    yield* repliesOf<ReplyOf<Definition[M]>>(call);
  }

  /** Many messages out, one back. */
  async clientStream<M extends MethodOf<Definition>>(
    method: M,
    requests: Messages<RequestOf<Definition[M]>>,
    options: RpcOptions = {},
  ): Promise<ReplyOf<Definition[M]>> {
    const { path, requestSerialize, responseDeserialize } = this.#method(method);
    const settled = new AbortController();
    const { promise, resolve, reject } = withResolvers<ReplyOf<Definition[M]>>();
    // The call may fail while the next request is awaited, before anybody waits for the reply.
    promise.catch(() => undefined);
    const call = this.#client.makeClientStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      metadataOf(options),
      callOptionsOf(options),
      (failure, reply) => {
        settled.abort();
        if (failure) reject(failure);
        else resolve(reply as ReplyOf<Definition[M]>);
      },
    );
    cancelWith(call, options.signal);
    try {
      for await (const request of requests) {
        if (settled.signal.aborted) break;
        if (!call.write(request)) await once(call, "drain", { signal: settled.signal }).catch(() => undefined);
      }
      call.end();
    } catch (failure) {
      call.cancel();
      throw failure;
    }
    return promise;
  }

  /** Many messages out, many back. */
  duplex<M extends MethodOf<Definition>>(
    method: M,
    options: RpcOptions = {},
  ): Duplex<RequestOf<Definition[M]>, ReplyOf<Definition[M]>> {
    const { path, requestSerialize, responseDeserialize } = this.#method(method);
    const call: ClientDuplexStream<unknown, unknown> = this.#client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      metadataOf(options),
      callOptionsOf(options),
    );
    cancelWith(call, options.signal);
    let ended = false;
    call.once("status", () => {
      ended = true;
    });
    return {
      replies: repliesOf<ReplyOf<Definition[M]>>(call),
      write: async (request) => {
        if (!ended && !call.write(request)) await drained(call);
      },
      end: () => call.end(),
      cancel: () => call.cancel(),
    };
  }

  close(): void {
    this.#client.close();
  }

  /** Reads the contract at the first call: a client may have none for long. */
  #method(name: string): MethodDefinition<unknown, unknown> {
    return serviceDefinition(this.#service)[name]!;
  }
}

/** A lost server is tried again within a second, so that a restart is felt as a pause. */
const channelDefaults: ChannelOptions = {
  "grpc.max_receive_message_length": messageBytesMaxDefault,
  "grpc.max_send_message_length": messageBytesMaxDefault,
  "grpc-node.flow_control_window": 4 * 1024 * 1024,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
  "grpc.enable_retries": 0,
  // Services of the suite talk to each other directly, whatever proxy the environment names for the world outside.
  "grpc.enable_http_proxy": 0,
  "grpc.use_local_subchannel_pool": 1,
  // A machine that vanished is noticed while calls wait for it, also on a stream on which nothing is ever sent.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5000,
};

function metadataOf(options: RpcOptions): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value);
  if (options.requestId !== undefined) metadata.set(requestIdKey, options.requestId);
  return metadata;
}

function callOptionsOf({ timeoutMs, deadlineMs }: RpcOptions): CallOptions {
  const deadline = Math.min(deadlineMs ?? Infinity, timeoutMs === undefined ? Infinity : Date.now() + timeoutMs);
  return deadline === Infinity ? {} : { deadline };
}

function cancelWith(
  call: { cancel(): void; on(event: "status", listener: () => void): unknown },
  signal?: AbortSignal,
): void {
  if (signal === undefined) return;
  const cancel = () => call.cancel();
  if (signal.aborted) cancel();
  else signal.addEventListener("abort", cancel, { once: true });
  call.on("status", () => signal.removeEventListener("abort", cancel));
}

/** Settles when a call takes more messages or has ended; leaves no listener behind. */
function drained(call: ClientDuplexStream<unknown, unknown>): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      call.off("drain", settle);
      call.off("status", settle);
      resolve();
    };
    call.on("drain", settle);
    call.on("status", settle);
  });
}

/** The replies of a call; a failure that comes before anybody reads is kept for the reader. */
function repliesOf<Reply>(
  call: ClientReadableStream<unknown> | ClientDuplexStream<unknown, unknown>,
): AsyncGenerator<Reply> {
  let failure: Error | undefined;
  call.on("error", (error: Error) => {
    failure = error;
  });
  async function* read(): AsyncGenerator<Reply> {
    try {
      for await (const reply of call) yield reply as Reply;
      if (failure !== undefined) throw failure;
    } finally {
      call.cancel();
    }
  }
  return read();
}

function withResolvers<Value>() {
  let resolve!: (value: Value) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<Value>((settle, fail) => {
    resolve = settle;
    reject = fail;
  });
  return { promise, resolve, reject };
}
