import type { Log } from "../../lib/log.ts";
import { type ServiceName, serviceDefinition } from "../../lib/rpc/protos.ts";
import type { RpcServer } from "../../lib/rpc/server.ts";
import { endOfStep, logCall } from "./call/call-log.ts";
import { IncomingCall } from "./call/incoming-call.ts";
import type { CallLimit } from "./call-limit.ts";
import { headOf } from "./forward/call-head.ts";
import type { Connection } from "./forward/connection.ts";
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

async function passCall(
  { limit, log }: PassThroughParts,
  { who, connection }: PassedService,
  call: IncomingCall,
  draining: AbortSignal | undefined,
): Promise<void> {
  try {
    call.begin();
    const options = { head: headOf(call), own: {}, draining };
    const { end: last, headers } = await limit.during(() => forwardStream(connection, call, options));
    const end = call.over === undefined ? explained(last, `${who} at ${connection.address}`) : last;
    call.end(end, headers);
    logCall(log, call, end, false);
  } catch (thrown) {
    const end = endOfStep(log, call, thrown);
    call.end(end);
    logCall(log, call, end, false);
  }
}
