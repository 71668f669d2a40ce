import type { ModelInferRequest__Output as Request } from "../../../lib/gen/inference/ModelInferRequest.ts";

/** What the tensors of a request take while nobody has read them: raw bytes as they came, and every typed element as a number. */
export function messageBytes({ inputs, rawInputContents }: Request): number {
  let bytes = 0;
  for (const raw of rawInputContents) bytes += raw.byteLength;
  for (const { contents } of inputs) {
    for (const elements of Object.values(contents ?? {}) as readonly (readonly unknown[])[]) {
      bytes += elements.length * numberBytes;
    }
    for (const text of contents?.bytesContents ?? []) bytes += text.byteLength;
  }
  return bytes;
}

const numberBytes = 8;
