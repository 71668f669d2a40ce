import type { Log } from "../../lib/log.ts";
import type { ServiceName } from "../../lib/rpc/protos.ts";
import type { RpcServer } from "../../lib/rpc/server.ts";
import type { CallLimit } from "./call-limit.ts";
import { byteMethods } from "./edge/byte-methods.ts";
import { type CallFields, logCall, statusOfThrown } from "./edge/call-log.ts";
import { explained } from "./forward/explain.ts";
import { withoutHopByHop } from "./forward/metadata.ts";
import { type ByteStream, endWith, forwardStream } from "./forward/stream.ts";
import type { Upstream } from "./forward/upstream.ts";

/** A service that is answered elsewhere. */
export interface PassedService {
  readonly service: ServiceName;
  /** Who answers, in words: "the registry". */
  readonly who: string;
  readonly upstream: Upstream;
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
  const methods = byteMethods(passed.service, "streams");
  const calls = Object.entries(methods).map(([name, { path }]) => [
    name,
    (call: ByteStream) => passCall(parts, passed, call, { name, path }),
  ]);
  parts.server.add(passed.service, methods, Object.fromEntries(calls));
}

async function passCall(
  { server, limit, log }: PassThroughParts,
  { who, upstream, endless }: PassedService,
  call: ByteStream,
  { name, path }: { readonly name: string; readonly path: string },
): Promise<void> {
  const { requestId, deadlineMs, draining, signal } = server.contextOf(call);
  const fields: CallFields = { requestId, method: path, begin: performance.now(), quiet: false };
  const ended = await limit
    .during(() =>
      forwardStream(
        call,
        upstream,
        { path, deadlineMs, metadata: withoutHopByHop(call.metadata) },
        {
          explain: (status) => explained(status, `${who} at ${upstream.address}`, signal.aborted),
          draining: endless.includes(name) ? draining : undefined,
        },
      ),
    )
    .catch((thrown: unknown) => statusOfThrown(log, fields, thrown));
  endWith(call, ended);
  logCall(log, fields, ended);
}
