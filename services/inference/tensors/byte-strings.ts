import { isUtf8 } from "node:buffer";
import { lengthBytes } from "../../../lib/byte-strings.ts";
import { tensorFault } from "./tensor-fault.ts";

/**
 * Refuses raw BYTES elements that are not `count` times a uint32 little-endian length and as many bytes, or that the
 * runtime could not carry: its strings are UTF-8 and end at a NUL.
 */
export function checkByteStrings(bytes: Uint8Array, count: number, label: string): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  for (let index = 0; index < count; index++) {
    if (offset + lengthBytes > bytes.byteLength) {
      throw tensorFault(`${label} has ${index} BYTES elements in ${bytes.byteLength} bytes; needed: ${count}`);
    }
    const length = view.getUint32(offset, true);
    offset += lengthBytes;
    if (length > bytes.byteLength - offset) {
      throw tensorFault(
        `${label} says that element ${index} has ${length} bytes; only ${bytes.byteLength - offset} are left`,
      );
    }
    checkText(bytes.subarray(offset, offset + length), index, label);
    offset += length;
  }
  if (offset !== bytes.byteLength) {
    throw tensorFault(`${label} has ${bytes.byteLength - offset} bytes after its ${count} BYTES elements`);
  }
}

/** Where `count` raw BYTES elements end that were checked and begin at an offset. */
export function byteStringsEnd(bytes: Uint8Array, begin: number, count: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = begin;
  for (let index = 0; index < count; index++) end += lengthBytes + view.getUint32(end, true);
  return end;
}

function checkText(element: Uint8Array, index: number, label: string): void {
  if (!isUtf8(element)) throw tensorFault(`${label} has a BYTES element ${index} that is not UTF-8, which ONNX needs`);
  if (element.includes(0))
    throw tensorFault(`${label} has a NUL in its BYTES element ${index}, which ONNX cannot carry`);
}
