import type { OutgoingHttpHeaders } from "node:http2";
import type { Log } from "../../lib/log.ts";
import { type ServiceName, serviceDefinition } from "../../lib/rpc/protos.ts";
import type { RpcServer } from "../../lib/rpc/server.ts";
import type { Call } from "./call/call.ts";
import type { CallEnd } from "./call/call-end.ts";
import { endOfStep, logCall } from "./call/call-log.ts";
import { IncomingCall } from "./call/incoming-call.ts";
import type { CallLimit } from "./call-limit.ts";
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
  readonly log: Log;
}

/** Makes a server forward every method of a service, whatever its form, as bytes in both directions. */
export function passThrough(parts: PassThroughParts, passed: PassedService): void {
  const { server } = parts;
  for (const [name, { path }] of Object.entries(serviceDefinition(passed.service))) {
    const draining = passed.endless.includes(name) ? server.draining : undefined;
    server.handle(path, (stream, headers) => passCall(parts, passed, new IncomingCall(stream, headers), draining));
  }
  server.describe(passed.service);
}

/** Carries a call to the service that answers it, in some way, and ends it; the answer is its end. */
export async function passOn(
  limit: CallLimit,
  { who, connection }: PassedService,
  call: Call,
  carry: (connection: Connection, head: OutgoingHttpHeaders) => Promise<Exchanged>,
): Promise<CallEnd> {
  const { end: last, headers } = await limit.during(() => carry(connection, headOf(call)));
  const end = call.over === undefined ? explained(last, `${who} at ${connection.address}`) : last;
  call.end(end, headers);
  return end;
}

async function passCall(
  { limit, log }: PassThroughParts,
  passed: PassedService,
  call: IncomingCall,
  draining: AbortSignal | undefined,
): Promise<void> {
  try {
    call.begin();
    const end = await passOn(limit, passed, call, (connection, head) =>
      forwardStream(connection, call, { head, own: {}, draining }),
    );
    logCall(log, call, end, false);
  } catch (thrown) {
    const end = endOfStep(log, call, thrown);
    call.end(end);
    logCall(log, call, end, false);
  }
}
