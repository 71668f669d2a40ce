/** The wire format of protobuf, where it is to be written wrongly. */

/** A varint of a whole number from 0 to 2^53, padded with continuation bytes to a length where that is longer. */
export function varint(value: number, lengthMin = 1): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128 || bytes.length + 1 < lengthMin) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

export const wireType = { varint: 0, fixed64: 1, bytes: 2, groupBegin: 3, groupEnd: 4, fixed32: 5 } as const;

export function tag(field: number, type: number): Buffer {
  return varint(field * 8 + type);
}

/** A field of bytes; `length` is what it says of them. */
export function bytesField(field: number, content: Uint8Array, length = content.byteLength): Buffer {
  return Buffer.concat([tag(field, wireType.bytes), varint(length), content]);
}

/** A field that holds itself, so often. */
export function nested(field: number, depth: number): Buffer {
  let inner: Buffer = Buffer.alloc(0);
  for (let level = 0; level < depth; level++) inner = bytesField(field, inner);
  return inner;
}

/** Groups in groups, which proto3 does not have; closed or not. */
export function groups(field: number, depth: number, closed: boolean): Buffer {
  const begin = Array<Buffer>(depth).fill(tag(field, wireType.groupBegin));
  return Buffer.concat(closed ? [...begin, ...Array<Buffer>(depth).fill(tag(field, wireType.groupEnd))] : begin);
}

/** A message as gRPC sends it; `length` is what its prefix says. */
export function framed(message: Uint8Array, length = message.byteLength, compression = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = compression;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}
