import { createHash } from "node:crypto";

/** Bytes that are made as they are read: equal for equal stamps, others for others. */
export interface Content {
  readonly stamp: number;
  readonly sizeBytes: number;
}

/** What is sent and written at once. */
export const blockBytes = 256 * 1024;

/** The content in blocks; each is good until the next one is taken. All bytes but the stamp's four are zero. */
export function* contentBlocks({ stamp, sizeBytes }: Content): Generator<Buffer> {
  const block = Buffer.alloc(blockBytes);
  for (let begin = 0; begin < sizeBytes; begin += blockBytes) {
    block.writeFloatLE(begin === 0 ? stamp : 0);
    yield block.subarray(0, Math.min(blockBytes, sizeBytes - begin));
  }
}

export function sha256Of(content: Content): string {
  const hash = createHash("sha256");
  for (const block of contentBlocks(content)) hash.update(block);
  return hash.digest("hex");
}
