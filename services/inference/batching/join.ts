import type { Tensor } from "../../../lib/tensor.ts";
import type { InferenceJob } from "../tensors/decode.ts";

/**
 * The inputs of jobs of one bucket as those of one run, the rows of the first job first. Each is a copy in a buffer of its
 * own that may be transferred.
 */
export function joinedInputs(jobs: readonly InferenceJob[]): readonly Tensor[] {
  return jobs[0].inputs.map(({ name, dataType, shape: [, ...features] }, index) => {
    const parts = jobs.map(({ inputs }) => inputs[index]);
    const rowCount = parts.reduce((sum, { shape }) => sum + shape[0], 0);
    return { name, dataType, shape: [rowCount, ...features], bytes: joined(parts.map(({ bytes }) => bytes)) };
  });
}

/**
 * The inputs of a job that runs alone, whose buffers may be transferred. Copied is only what is needed afterwards, or may share its
 * buffer with other requests.
 */
export function ownInputs({ inputs, keepsInputs }: InferenceJob): readonly Tensor[] {
  const isFree = (bytes: Uint8Array) => !keepsInputs && isOfOneRequest(bytes);
  return inputs.map((input) => ({ ...input, bytes: isFree(input.bytes) ? input.bytes : joined([input.bytes]) }));
}

/** Small messages lie together in slabs; a larger one has a buffer of its own, in which nothing else is needed once it is decoded. */
function isOfOneRequest({ byteLength, buffer }: Uint8Array): boolean {
  return byteLength > 0 && (byteLength === buffer.byteLength || buffer.byteLength > slabBytesMax);
}

/** The largest slab, that of a socket. */
const slabBytesMax = 64 * 1024;

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}
