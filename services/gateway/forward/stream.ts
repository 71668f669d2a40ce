import type { ClientHttp2Stream } from "node:http2";
import type { IncomingCall } from "../call/incoming-call.ts";
import type { Connection } from "./connection.ts";
import { type Exchanged, type ExchangeOptions, exchange } from "./exchange.ts";

/** Carries bytes both ways until the call ends, at the speed of the slower side; see `exchange`. */
export function forwardStream(
  connection: Connection,
  call: IncomingCall,
  options: Pick<ExchangeOptions, "head" | "own">,
): Promise<Exchanged> {
  return exchange(connection, call, { ...options, send: (stream) => sendAll(call, stream), isEager: true });
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
