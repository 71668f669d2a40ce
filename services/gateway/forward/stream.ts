import { type Metadata, type ServerDuplexStream, type StatusObject, status } from "@grpc/grpc-js";
import { ServiceError } from "../../../lib/errors.ts";
import { statusOf } from "../../../lib/rpc/status.ts";
import { withoutHopByHop } from "./metadata.ts";
import type { CallHead, Upstream, UpstreamCall } from "./upstream.ts";

/** Both directions of a caller's call, as bytes. Fits calls of every form: a single message is a short stream. */
export type ByteStream = ServerDuplexStream<Buffer, Buffer>;

/** What a forwarded stream may need besides its two ends. */
export interface StreamOptions {
  /** A message that was already read from the caller, to be sent first. */
  readonly first?: Buffer;
  /** Ends the stream when aborted: for streams that would go on for ever. */
  readonly draining?: AbortSignal;
  /** Adds to what the caller sees before the first message. */
  readonly decorate?: (metadata: Metadata) => void;
  /** Says a status of the other side again, before the caller sees it. */
  readonly explain: (ended: StatusObject) => StatusObject;
}

/**
 * Carries messages both ways until the call ends; answers the status and trailers with which to end the caller's call, and
 * never rejects. In each direction the next message is read when the last one has been written, so the
 * slower side sets the pace.
 */
export function forwardStream(
  caller: ByteStream,
  upstream: Upstream,
  head: CallHead,
  options: StreamOptions,
): Promise<StatusObject> {
  return new Promise((resolve) => {
    let ended = false;
    const end = (last: StatusObject) => {
      if (ended) return;
      ended = true;
      caller.off("cancelled", cancel);
      options.draining?.removeEventListener("abort", drain);
      caller.removeAllListeners("data").resume();
      resolve(last);
    };
    const call = upstream.open(head, {
      onReceiveMetadata: (metadata) => {
        withoutHopByHop(metadata);
        options.decorate?.(metadata);
        if (!ended) caller.sendMetadata(metadata);
      },
      onReceiveMessage: (message: Buffer) => {
        if (!ended) caller.write(message, () => call.startRead());
      },
      onReceiveStatus: (last) => {
        withoutHopByHop(last.metadata);
        end(options.explain(last));
      },
    });
    const cancel = () => call.cancelWithStatus(status.CANCELLED, "the caller cancelled the call");
    const drain = () => {
      end(statusOf(drainFault()));
      cancel();
    };
    caller.once("cancelled", cancel);
    options.draining?.addEventListener("abort", drain, { once: true });
    sendAll(caller, call, options.first);
    call.startRead();
    if (options.draining?.aborted) drain();
  });
}

/** Takes the first message, and holds the rest back; undefined if the caller sends none, gives up, or a drain begins. */
export function firstMessage(caller: ByteStream, draining: AbortSignal): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const take = (message: Buffer | undefined) => {
      draining.removeEventListener("abort", none);
      resolve(message);
    };
    const none = () => take(undefined);
    caller.once("data", (message: Buffer) => {
      caller.pause();
      take(message);
    });
    caller.once("end", none);
    caller.once("cancelled", none);
    draining.addEventListener("abort", none, { once: true });
  });
}

/** The fault of a stream that is ended because this server stops. */
export function drainFault(): ServiceError {
  return new ServiceError("DRAINING", "the gateway is shutting down; open the stream again", { retryDelayMs: 100 });
}

/** Ends a caller's call with a status and its trailers. */
export function endWith(caller: ByteStream, { code, details, metadata }: StatusObject): void {
  if (code === status.OK) caller.end(metadata);
  // This is how grpc-js lets a handler end a stream with a status.
  else caller.emit("error", { code, details, metadata });
}

function sendAll(caller: ByteStream, call: UpstreamCall, first: Buffer | undefined): void {
  const send = (message: Buffer) => {
    caller.pause();
    call.sendMessageWithContext({ callback: () => caller.resume() }, message);
  };
  caller.on("data", send);
  caller.once("end", () => call.halfClose());
  if (first === undefined) caller.resume();
  else send(first);
}
