import type { ServerDuplexStream, ServerReadableStream, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import type { CallContext } from "./call-context.ts";
import type { Framed, MaybeEncoded } from "./encoded.ts";

/** One message in, one out. */
export type UnaryHandler<Request, Reply> = (
  request: Request,
  call: CallContext,
) => Promise<MaybeEncoded<Reply>> | MaybeEncoded<Reply>;
/** One message in, many out: the iteration goes at the speed at which the caller reads. */
export type ServerStreamHandler<Request, Reply> = (
  request: Request,
  call: CallContext,
) => AsyncIterable<MaybeEncoded<Reply> | Framed<Reply>>;
/** Many messages in, one out. */
export type ClientStreamHandler<Request, Reply> = (
  requests: AsyncIterable<Request>,
  call: CallContext,
) => Promise<MaybeEncoded<Reply>>;
/** Many messages in, many out. */
export type BidiHandler<Request, Reply> = (
  requests: AsyncIterable<Request>,
  call: CallContext,
) => AsyncIterable<MaybeEncoded<Reply>>;

/** Our form of a generated grpc-js handler type. */
type HandlerOf<Generated> = Generated extends (call: infer Call, ...rest: never[]) => unknown
  ? Call extends ServerDuplexStream<infer Request, infer Reply>
    ? BidiHandler<Request, Reply>
    : Call extends ServerWritableStream<infer Request, infer Reply>
      ? ServerStreamHandler<Request, Reply>
      : Call extends ServerReadableStream<infer Request, infer Reply>
        ? ClientStreamHandler<Request, Reply>
        : Call extends ServerUnaryCall<infer Request, infer Reply>
          ? UnaryHandler<Request, Reply>
          : never
  : never;

/** Handlers by method for a generated `…Handlers` type; a method without one answers UNIMPLEMENTED. */
export type Handlers<Generated> = {
  readonly [Name in keyof Generated as string extends Name ? never : Name]?: HandlerOf<Generated[Name]>;
};

/** A handler of any form; the contract says which. */
export type AnyHandler = (request: never, call: CallContext) => unknown;
