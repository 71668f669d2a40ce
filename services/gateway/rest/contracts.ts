import type protobuf from "protobufjs";
import { contractFolder, contractRoot } from "../../../lib/rpc/contract-root.ts";

let root: protobuf.Root | undefined;

/** The declarations of all that REST says, read once. */
export function restRoot(): protobuf.Root {
  root ??= contractRoot(
    [
      "amaas/registry/v1/registry.proto",
      "amaas/trainer/v1/trainer.proto",
      "inference/grpc_service.proto",
      "google/rpc/status.proto",
      "google/rpc/error_details.proto",
    ],
    contractFolder,
  );
  return root;
}

/** A message by its full name. */
export function restType(name: string): protobuf.Type {
  return restRoot().lookupType(name);
}
