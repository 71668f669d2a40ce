import type { OutgoingHttpHeaders } from "node:http2";
import { ServiceError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import { type ServiceName, serviceDefinition } from "../../lib/rpc/protos.ts";
import type { RpcServer } from "../../lib/rpc/server.ts";
import type { Call } from "./call/call.ts";
import { type CallEnd, endOfThrown } from "./call/call-end.ts";
import { endOfStep, logCall } from "./call/call-log.ts";
import { IncomingCall } from "./call/incoming-call.ts";
import type { CallLimit } from "./call-limit.ts";
import type { CallFigures } from "./figures/call-figures.ts";
import { headOf } from "./forward/call-head.ts";
import type { Connection } from "./forward/connection.ts";
import type { Exchanged } from "./forward/exchange.ts";
import { explained } from "./forward/served.ts";
import { forwardStream } from "./forward/stream.ts";

/** A service that is answered elsewhere. */
export interface PassedService {
  readonly service: ServiceName;
  /** Who answers, in words: "the registry". */
  readonly who: string;
  readonly connection: Connection;
  /** Methods whose streams go on until somebody ends them; a drain does. */
  readonly endless: readonly string[];
}

/** What forwarding needs of the gateway. */
export interface PassThroughParts {
  readonly server: RpcServer;
  readonly limit: CallLimit;
  readonly calls: CallFigures;
  readonly log: Log;
}

/** Makes a server forward every method of a service, whatever its form, as bytes in both directions. */
export function passThrough(parts: PassThroughParts, passed: PassedService): void {
  const { server } = parts;
  for (const { path } of Object.values(serviceDefinition(passed.service))) {
    server.handle(path, (stream, headers) => {
      const call = new IncomingCall(stream, headers);
      void passCall(parts, passed, call);
      return call;
    });
  }
  server.describe(passed.service);
}

/** A call that can be ended from this side. */
export interface PassedCall extends Call {
  giveUp(end: CallEnd): void;
}

/**
 * Carries a call to the service that answers it, in some way, and ends it; the answer is its end. Where its stream would go on for ever
 * it ends when the gateway drains.
 */
export async function passOn(
  { limit, draining }: { readonly limit: CallLimit; readonly draining: AbortSignal },
  { who, connection, endless }: PassedService,
  call: PassedCall,
  carry: (connection: Connection, head: OutgoingHttpHeaders) => Promise<Exchanged>,
): Promise<CallEnd> {
  const isEndless = endless.includes(call.path.slice(call.path.lastIndexOf("/") + 1));
  const drain = () => call.giveUp(endOfThrown(drainFault()));
  if (isEndless) draining.addEventListener("abort", drain, { once: true });
  if (isEndless && draining.aborted) drain();
  try {
    const { end: last, headers } = await limit.during(() => carry(connection, headOf(call)));
    const end = call.over === undefined ? explained(last, `${who} at ${connection.address}`) : last;
    call.end(end, headers);
    return end;
  } finally {
    draining.removeEventListener("abort", drain);
  }
}

async function passCall(
  { server, limit, calls, log }: PassThroughParts,
  passed: PassedService,
  call: IncomingCall,
): Promise<void> {
  try {
    call.begin();
    const end = await passOn({ limit, draining: server.draining }, passed, call, (connection, head) =>
      forwardStream(connection, call, { head, own: {} }),
    );
    calls.ended(call.path, end.code);
    logCall(log, call, end, false);
  } catch (thrown) {
    const end = endOfStep(log, call, thrown);
    call.end(end);
    calls.refused(thrown);
    calls.ended(call.path, end.code);
    logCall(log, call, end, false);
  }
}

/** The fault of a stream that is ended because this server stops. */
function drainFault(): ServiceError {
  return new ServiceError("DRAINING", "the gateway is shutting down; open the stream again", { retryDelayMs: 100 });
}
