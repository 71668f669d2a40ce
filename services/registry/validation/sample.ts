import { isUtf8 } from "node:buffer";
import type { Tensor } from "../../../lib/tensor.ts";

/** What models are run on, as the database keeps it: equal for equal tensors. */
export function sampleJsonOf(tensors: readonly Tensor[]): string {
  return JSON.stringify(tensors.map((tensor) => ({ ...tensor, bytes: Buffer.from(tensor.bytes).toString("base64") })));
}

/** The tensors that the database keeps. */
export function sampleTensors(json: string): Tensor[] {
  const tensors = JSON.parse(json) as (Omit<Tensor, "bytes"> & { readonly bytes: string })[];
  return tensors.map((tensor) => ({ ...tensor, bytes: Buffer.from(tensor.bytes, "base64") }));
}

/**
 * The texts of raw BYTES elements. Throws a RangeError that says what is wrong where they are not `count` times a uint32 length
 * and as many bytes, or nothing that the runtime can carry: its strings are UTF-8 and end at a NUL.
 */
export function textsOf(bytes: Uint8Array, count: number): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  let offset = 0;
  while (offset < buffer.length) {
    const begin = offset + lengthBytes;
    const end = begin <= buffer.length ? begin + buffer.readUInt32LE(offset) : begin;
    if (end > buffer.length) throw new RangeError(`element ${texts.length} goes beyond the end`);
    const text = buffer.subarray(begin, end);
    if (!isUtf8(text) || text.includes(0)) throw new RangeError(`element ${texts.length} is not UTF-8 without NUL`);
    texts.push(text.toString());
    offset = end;
  }
  if (texts.length !== count) throw new RangeError(`${texts.length} elements`);
  return texts;
}

const lengthBytes = 4;
