import type { IncomingCall } from "../call/incoming-call.ts";
import type { Connection } from "./connection.ts";
import { type Exchanged, type ExchangeOptions, exchange } from "./exchange.ts";

/** Carries bytes both ways until the call ends, at the speed of the slower side; see `exchange`. */
export function forwardStream(
  connection: Connection,
  call: IncomingCall,
  options: Pick<ExchangeOptions, "head" | "own">,
): Promise<Exchanged> {
  return exchange(connection, call, {
    ...options,
    send: (stream) =>
      call.read({
        onData: (bytes, isOwn) => {
          if (!stream.write(isOwn ? bytes : Buffer.from(bytes))) call.pause();
        },
        onEnd: () => stream.end(),
      }),
    onDrain: () => call.resume(),
    onClose: () => call.stopReading(),
    isEager: true,
  });
}
