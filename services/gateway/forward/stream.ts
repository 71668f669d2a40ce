import type { ClientHttp2Stream } from "node:http2";
import { ServiceError } from "../../../lib/errors.ts";
import { endOfThrown } from "../call/call-end.ts";
import type { IncomingCall } from "../call/incoming-call.ts";
import type { Connection } from "./connection.ts";
import { type Exchanged, type ExchangeOptions, exchange } from "./exchange.ts";

/** What a forwarded stream needs besides its two ends. */
export interface StreamOptions extends Pick<ExchangeOptions, "head" | "own"> {
  /** Ends the stream when aborted: for streams that would go on for ever. */
  readonly draining?: AbortSignal | undefined;
}

/** Carries bytes both ways until the call ends, at the speed of the slower side; see `exchange`. */
export async function forwardStream(
  connection: Connection,
  call: IncomingCall,
  { head, own, draining }: StreamOptions,
): Promise<Exchanged> {
  const drain = () => call.giveUp(endOfThrown(drainFault()));
  draining?.addEventListener("abort", drain, { once: true });
  if (draining?.aborted) drain();
  try {
    return await exchange(connection, call, {
      head,
      own,
      send: (stream) => sendAll(call, stream),
      isEager: true,
    });
  } finally {
    draining?.removeEventListener("abort", drain);
  }
}

/** The fault of a stream that is ended because this server stops. */
function drainFault(): ServiceError {
  return new ServiceError("DRAINING", "the gateway is shutting down; open the stream again", { retryDelayMs: 100 });
}

function sendAll({ stream: caller }: IncomingCall, stream: ClientHttp2Stream): void {
  const send = (bytes: Buffer) => {
    if (!stream.write(bytes)) caller.pause();
  };
  const end = () => stream.end();
  stream.on("drain", () => caller.resume());
  stream.once("close", () => caller.off("data", send).off("end", end));
  caller.on("data", send);
  if (caller.readableEnded) end();
  else caller.once("end", end).resume();
}
