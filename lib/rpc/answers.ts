import { once } from "node:events";
import {
  type MethodDefinition,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
  type UntypedHandleCall,
} from "@grpc/grpc-js";
import { assert, ServiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import { Framed } from "./encoded.ts";
import type { AnyHandler } from "./handlers.ts";
import { ServerCall } from "./server-call.ts";
import { statusOf } from "./status.ts";

/** A method of a contract with its handler, and what all its calls share. */
export interface ServedMethod {
  readonly definition: MethodDefinition<unknown, unknown>;
  readonly handler: AnyHandler;
  /** Whether calls that succeed are logged at debug level only. */
  readonly quiet: boolean;
  readonly draining: AbortSignal;
  readonly log: Log;
}

/** The method as grpc-js takes it, between bytes: messages are read and written here, where a failure of it has a log. */
export function servedDefinition(definition: MethodDefinition<unknown, unknown>): MethodDefinition<unknown, Buffer> {
  return {
    ...definition,
    requestDeserialize: tolerant(definition.requestDeserialize),
    responseSerialize: unchanged,
    responseDeserialize: unchanged,
  };
}

/** Answers the calls of a method by its handler, and logs them; what the handler throws becomes the status. */
export function answers(method: ServedMethod): UntypedHandleCall {
  const { requestStream, responseStream } = method.definition;
  if (!requestStream && !responseStream) return unaryAnswers(method);
  return (call: ServerDuplexStream<unknown, Buffer>, callback?: sendUnaryData<Buffer>) => {
    const begin = performance.now();
    const context = new ServerCall(call, method.draining, method.log);
    void answerStream(method, call as Stream, callback, context).then((thrown) =>
      logCall(method, context, begin, thrown),
    );
  };
}

/** A call whose handler answers without a wait is answered without one: short calls are mostly overhead. */
function unaryAnswers(method: ServedMethod): UntypedHandleCall {
  const { handler, definition, draining, log } = method;
  return (call: ServerUnaryCall<unknown, Buffer>, callback: sendUnaryData<Buffer>) => {
    const begin = performance.now();
    const context = new ServerCall(call, draining, log);
    const refuse = (thrown: unknown) => {
      const cancelled = context.answered();
      callback(statusOf(thrown));
      logCall(method, context, begin, cancelled ?? thrown);
    };
    const answer = (reply: unknown) => {
      let bytes: Buffer;
      try {
        bytes = definition.responseSerialize(reply);
      } catch (thrown) {
        refuse(thrown);
        return;
      }
      const cancelled = context.answered();
      callback(null, bytes);
      logCall(method, context, begin, cancelled);
    };
    let reply: unknown;
    try {
      reply = handler(wellFormed(call.request) as never, context);
    } catch (thrown) {
      refuse(thrown);
      return;
    }
    if (reply instanceof Promise) reply.then(answer, refuse);
    else answer(reply);
  };
}

type Stream = ServerDuplexStream<unknown, Buffer> & { readonly request: unknown };

/** Answers a call with at least one stream; gives what to log as its failure, undefined if it did not fail. */
async function answerStream(
  { definition, handler }: ServedMethod,
  stream: Stream,
  callback: sendUnaryData<Buffer> | undefined,
  context: ServerCall,
): Promise<unknown> {
  try {
    const input = definition.requestStream ? wellFormedAll(stream) : wellFormed(stream.request);
    const output = handler(input as never, context);
    if (callback === undefined) {
      await writeAll(stream, output as AsyncIterable<unknown>, definition.responseSerialize, context.signal);
      const cancelled = context.answered();
      stream.end();
      return cancelled;
    }
    const bytes = definition.responseSerialize(await output);
    const cancelled = context.answered();
    callback(null, bytes);
    return cancelled;
  } catch (thrown) {
    const cancelled = context.answered();
    if (callback) callback(statusOf(thrown));
    else stream.emit("error", statusOf(thrown));
    return cancelled ?? thrown;
  }
}

async function writeAll(
  stream: Stream,
  messages: AsyncIterable<unknown>,
  serialize: (message: unknown) => Buffer,
  signal: AbortSignal,
): Promise<void> {
  let takesFramed = false;
  for await (const message of messages) {
    if (signal.aborted) return;
    const isFramed = message instanceof Framed;
    if (isFramed && !takesFramed) takeFramed(stream);
    takesFramed ||= isFramed;
    const written = isFramed ? message : serialize(message);
    if (!stream.write(written as Buffer)) await once(stream, "drain", { signal });
  }
}

/** What a call of grpc-js 1.14 has inside. */
interface Internals {
  readonly call: { serializeMessage(message: unknown): Buffer };
}

/** Makes a call write what is framed as it is; grpc-js would copy it for each. */
function takeFramed(stream: Stream): void {
  const { call } = stream as unknown as Internals;
  assert(typeof call?.serializeMessage === "function", "a call of grpc-js frames messages itself");
  const frame = call.serializeMessage.bind(call);
  call.serializeMessage = (message) => (message instanceof Framed ? message.bytes : frame(message));
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

function unchanged(bytes: Buffer): Buffer {
  return bytes;
}

function wellFormed(request: unknown): unknown {
  if (!(request instanceof Malformed)) return request;
  throw new ServiceError("REQUEST_INVALID", "the request is not a message of the method's type: malformed protobuf", {
    cause: request.cause,
  });
}

/**
 * The requests of a stream; throws where it ends before they do. Not the stream's own iterator: that one would destroy the
 * stream, and the status with it, where a handler fails while it still waits for a request.
 */
async function* wellFormedAll(stream: Stream): AsyncGenerator<unknown> {
  let wake = () => {};
  const onChange = () => wake();
  for (const event of readEvents) stream.on(event, onChange);
  try {
    while (!stream.readableEnded) {
      const request = stream.read();
      if (request !== null) yield wellFormed(request);
      else if (stream.destroyed) throw new ServiceError("CANCELLED", "the call ended before its requests did");
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    for (const event of readEvents) stream.off(event, onChange);
  }
}

const readEvents = ["readable", "end", "close"];

function logCall({ definition, quiet, log }: ServedMethod, context: ServerCall, begin: number, thrown: unknown): void {
  if (thrown === undefined && !log.isLevelEnabled(quiet ? "debug" : "info")) return;
  const durationMs = Math.round((performance.now() - begin) * 1000) / 1000;
  const fields = { requestId: context.requestId, method: definition.path, durationMs };
  if (thrown === undefined) {
    if (quiet) log.debug(fields, "call");
    else log.info(fields, "call");
  } else if (thrown instanceof ServiceError && thrown.reason !== "INTERNAL") {
    log.info({ ...fields, status: thrown.status, reason: thrown.reason, detail: thrown.message }, "call refused");
  } else {
    log.error({ ...fields, status: status[status.INTERNAL], error: thrown }, "call failed");
  }
}
