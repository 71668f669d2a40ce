import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from "@grpc/grpc-js";
import type { UpdateAliasRequest__Output } from "../../../lib/gen/amaas/registry/v1/UpdateAliasRequest.ts";
import { decodeMessage, encodeMessage } from "../../../lib/rpc/protos.ts";

const emptyReply = Buffer.alloc(0);

/** A server of bare grpc-js: nothing is decoded, nothing is done. Answers its port. */
export function listenEmpty(): Promise<number> {
  return listen({
    "/bench.Bare/Nothing": {
      streams: false,
      handle: (_: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => reply(null, emptyReply),
    },
  });
}

/** The path of its only method. */
export const emptyPath = "/bench.Bare/Nothing";

/**
 * A server of bare grpc-js that does no more for a moved alias than to tell all who watch, in the words of the contracts. Answers
 * its port.
 */
export function listenAndTell(): Promise<number> {
  type Watcher = ServerWritableStream<Buffer, Buffer>;
  const watchers = new Set<Watcher>();
  return listen({
    "/amaas.registry.v1.ControlService/WatchRoutes": {
      streams: true,
      handle: (call: Watcher) => {
        watchers.add(call);
        call.once("cancelled", () => watchers.delete(call));
        call.write(stepOf({ snapshot: { models: [] } }));
      },
    },
    "/amaas.registry.v1.RegistryService/UpdateAlias": {
      streams: false,
      handle: ({ request }: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => {
        const step = stepOf({ changed: routeOf(request) });
        for (const watcher of watchers) watcher.write(step);
        reply(null, emptyReply);
      },
    },
  });
}

function routeOf(request: Buffer): object {
  const { alias } = decodeMessage<UpdateAliasRequest__Output>(
    "registry",
    "amaas.registry.v1.UpdateAliasRequest",
    request,
  );
  const [, model, , id] = alias!.name.split("/");
  return { model, aliases: { [id!]: { targets: alias!.targets } } };
}

function stepOf(step: object): Buffer {
  return encodeMessage("control", "amaas.registry.v1.WatchRoutesResponse", { epoch: "bare", ...step });
}

/** A method between bytes. */
interface BareMethod {
  readonly streams: boolean;
  readonly handle: unknown;
}

function listen(methods: Readonly<Record<string, BareMethod>>): Promise<number> {
  const unchanged = (bytes: Buffer) => bytes;
  const server = new Server();
  for (const [path, { streams, handle }] of Object.entries(methods)) {
    server.register(path, handle as never, unchanged, unchanged, streams ? "serverStream" : "unary");
  }
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (failure, port) =>
      failure ? reject(failure) : resolve(port),
    );
  });
}
