import type { MethodDefinition } from "@grpc/grpc-js";
import { type ServiceName, serviceDefinition } from "../../../lib/rpc/protos.ts";

/** Methods by name, as grpc-js wants them, whose messages stay bytes. */
export type ByteMethods = Record<string, MethodDefinition<Buffer, Buffer>>;

/**
 * Some or all methods of a service as bytes. `form` is how the server meets them: on the wire all forms look the same, so
 * a method of any form can be handled as two streams.
 */
export function byteMethods(service: ServiceName, form: "unary" | "streams", names?: readonly string[]): ByteMethods {
  const isStream = form === "streams";
  const definition = serviceDefinition(service);
  return Object.fromEntries(
    (names ?? Object.keys(definition)).map((name) => [
      name,
      {
        path: definition[name]!.path,
        requestStream: isStream,
        responseStream: isStream,
        requestSerialize: unchanged,
        requestDeserialize: unchanged,
        responseSerialize: unchanged,
        responseDeserialize: unchanged,
      },
    ]),
  );
}

function unchanged(bytes: Buffer): Buffer {
  return bytes;
}
