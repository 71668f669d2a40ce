import type { Metadata } from "@grpc/grpc-js";

/** Removes what belongs to one connection and not to the call; everything else crosses. Changes and answers `metadata`. */
export function withoutHopByHop(metadata: Metadata): Metadata {
  for (const key of hopByHop) metadata.remove(key);
  return metadata;
}

/** The key that tells the caller which node answered. */
export const nodeKey = "amaas-node";

/** HTTP/2's own, and what grpc-js adds on each connection. */
const hopByHop = [
  "accept-encoding",
  "connection",
  "content-length",
  "content-type",
  "date",
  "grpc-accept-encoding",
  "grpc-encoding",
  "grpc-timeout",
  "host",
  "te",
  "trailer",
  "transfer-encoding",
  "user-agent",
] as const;
