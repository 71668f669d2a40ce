/** Before each element stands its length, a uint32, little-endian. */
export const lengthBytes = 4;

/** BYTES elements in their raw form. */
export function joinedByteStrings(elements: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const byteCount = elements.reduce((sum, element) => sum + lengthBytes + element.byteLength, 0);
  const joined = new Uint8Array(byteCount);
  const view = new DataView(joined.buffer);
  let offset = 0;
  for (const element of elements) {
    view.setUint32(offset, element.byteLength, true);
    joined.set(element, offset + lengthBytes);
    offset += lengthBytes + element.byteLength;
  }
  return joined;
}

/** The texts of raw BYTES elements that were checked. */
export function textsOf(bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  for (let offset = 0; offset < buffer.length; ) {
    const end = offset + lengthBytes + buffer.readUInt32LE(offset);
    texts.push(buffer.toString("utf8", offset + lengthBytes, end));
    offset = end;
  }
  return texts;
}
