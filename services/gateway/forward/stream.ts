import type { Stream } from "../../../lib/http2/stream.ts";
import type { IncomingCall } from "../call/incoming-call.ts";
import type { Connection } from "./connection.ts";
import { type Exchanged, type ExchangeOptions, exchange } from "./exchange.ts";

/** Carries bytes both ways until the call ends, at the speed of the slower side; see `exchange`. */
export function forwardStream(
  connection: Connection,
  call: IncomingCall,
  options: Pick<ExchangeOptions, "head" | "own">,
): Promise<Exchanged> {
  let stop: () => void = () => undefined;
  return exchange(connection, call, {
    ...options,
    send: (stream) => {
      stop = sendAll(call, stream);
    },
    onDrain: () => call.stream.resume(),
    onClose: () => stop(),
    isEager: true,
  });
}

/** Until it is told to stop. */
function sendAll({ stream: caller }: IncomingCall, stream: Stream): () => void {
  const send = (bytes: Buffer) => {
    if (!stream.write(bytes)) caller.pause();
  };
  const end = () => stream.end();
  caller.on("data", send);
  if (caller.readableEnded) end();
  else caller.once("end", end).resume();
  return () => caller.off("data", send).off("end", end);
}
