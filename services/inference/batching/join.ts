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

/** The inputs of a job that runs alone. Only what shares its buffer with something else, or is needed afterwards, is copied. */
export function ownInputs({ inputs, keepsInputs }: InferenceJob): readonly Tensor[] {
  const isFree = (bytes: Uint8Array) => !keepsInputs && ownsBuffer(bytes);
  return inputs.map((input) => ({ ...input, bytes: isFree(input.bytes) ? input.bytes : joined([input.bytes]) }));
}

function ownsBuffer({ byteLength, buffer }: Uint8Array): boolean {
  return byteLength > 0 && byteLength === buffer.byteLength;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}
