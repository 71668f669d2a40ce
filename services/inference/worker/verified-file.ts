import { constants } from "node:buffer";
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { ServiceError } from "../../../lib/errors.ts";
import type { ThreadFile } from "./thread-protocol.ts";

/**
 * Reads a file whose bytes have the right digest, whatever happens to it meanwhile: what was hashed is what is given. Blocks the thread,
 * which has nothing else to do.
 *
 * Throws ARTIFACT_DIGEST_MISMATCH with the metadata `sha256`, the digest that it should have; and ARTIFACT_INVALID where the
 * file does not fit into one buffer.
 */
export function readVerified({ path, sha256, sizeBytes }: ThreadFile): Uint8Array {
  if (sizeBytes > constants.MAX_LENGTH) {
    const message = `the artifact ${sha256} has ${sizeBytes} bytes; needed: at most ${constants.MAX_LENGTH}`;
    throw new ServiceError("ARTIFACT_INVALID", message);
  }
  const hash = createHash("sha256");
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  const file = openSync(path, "r");
  let size = 0;
  try {
    while (size < sizeBytes) {
      const bytesRead = readSync(file, bytes, size, Math.min(chunkBytes, sizeBytes - size), size);
      if (bytesRead === 0) break;
      hash.update(bytes.subarray(size, size + bytesRead));
      size += bytesRead;
    }
  } finally {
    closeSync(file);
  }
  const seen = hash.digest("hex");
  if (seen === sha256) return bytes;
  const message = `the artifact's ${size} bytes have SHA-256 ${seen}; needed: ${sizeBytes} with ${sha256}`;
  throw new ServiceError("ARTIFACT_DIGEST_MISMATCH", message, { metadata: { sha256 } });
}

/** Larger reads and hashes are not possible in one piece, and not faster. */
const chunkBytes = 4 * 1024 * 1024;
