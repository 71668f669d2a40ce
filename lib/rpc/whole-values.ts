import protobuf from "protobufjs";

/**
 * Makes protobufjs refuse values that end before their own length says, as it refuses all others: of strings it takes what is there,
 * and of 64-bit integers that end within their first bytes that they are zero. Once for the process; good for every decoder in it.
 *
 * Mended in later releases of protobufjs than the one that `@grpc/proto-loader` works with:
 * https://github.com/protobufjs/protobuf.js/pull/2205, https://github.com/protobufjs/protobuf.js/issues/2321
 */
export function refuseTruncatedValues(): void {
  const reader = protobuf.BufferReader.prototype;
  reader.string = function (this: protobuf.BufferReader) {
    const length = this.uint32();
    const begin = this.pos;
    checkEnd(this, begin + length);
    this.pos = begin + length;
    return (this.buf as Buffer).toString("utf8", begin, this.pos);
  };
  for (const kind of ["int64", "uint64", "sint64"] as const) {
    const read = protobuf.Reader.prototype[kind];
    reader[kind] = function (this: protobuf.BufferReader) {
      const value = read.call(this);
      const last = this.pos - 1;
      // Also a last byte that is there may say that others follow, which are not.
      checkEnd(this, this.buf[last] < 0x80 ? this.pos : Infinity);
      return value;
    };
  }
}

function checkEnd({ len }: protobuf.BufferReader, end: number): void {
  if (end > len) throw new RangeError(`a value goes on behind the end of its message, at byte ${len}`);
}
