import { ServiceError } from "../../lib/errors.ts";

/** How the value of a field is written. Source: https://protobuf.dev/programming-guides/encoding/ */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, group: 3, groupEnd: 4, fixed32: 5 } as const;

/** A range of bytes, end excluded. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Walks over the fields of a message, of which groups are none; never reads past its end. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #fieldsMax: number;
  #position: number;
  #fields = 0;
  #number = 0;
  #wireType = 0;
  #valueStart = 0;

  /** The message is all of the bytes, or a range of them. One with more than so many fields is refused. */
  constructor(bytes: Uint8Array, fieldsMax: number, { start, end }: Span = { start: 0, end: bytes.length }) {
    this.#bytes = bytes;
    this.#fieldsMax = fieldsMax;
    this.#position = start;
    this.#end = end;
  }

  /** Moves to the next field; answers whether there is one. Throws REQUEST_INVALID where the bytes are not a message. */
  next(): boolean {
    for (let groupDepth = 0; ; ) {
      if (this.#position >= this.#end) {
        if (groupDepth > 0) throw this.#malformed("a group never ends");
        return false;
      }
      this.#step();
      if (this.#wireType === WireType.group) groupDepth++;
      else if (this.#wireType === WireType.groupEnd) groupDepth--;
      else if (groupDepth === 0) return true;
      if (groupDepth < 0) throw this.#malformed("a group ends that never began");
    }
  }

  get number(): number {
    return this.#number;
  }

  get wireType(): number {
    return this.#wireType;
  }

  /** The bytes of the value, without the length that may stand before them. */
  get value(): Span {
    return { start: this.#valueStart, end: this.#position };
  }

  /** Over one tag and its value. */
  #step(): void {
    if (++this.#fields > this.#fieldsMax) throw this.#malformed(`it has more than ${this.#fieldsMax} fields`);
    const tag = this.#varint();
    if (tag > 0xffff_ffff || tag < 8) throw this.#malformed("a field number is out of range");
    this.#number = tag >>> 3;
    this.#wireType = tag & 7;
    const length = this.#skip(this.#wireType);
    this.#valueStart = this.#position - length;
  }

  /** Moves behind the value of a field; answers its length. */
  #skip(wireType: number): number {
    if (wireType === WireType.varint) {
      const start = this.#position;
      this.#varint();
      return this.#position - start;
    }
    if (wireType === WireType.fixed64) return this.#forward(8);
    if (wireType === WireType.fixed32) return this.#forward(4);
    if (wireType === WireType.bytes) return this.#forward(this.#varint());
    if (wireType > WireType.fixed32) throw this.#malformed(`wire type ${wireType} does not exist`);
    return 0;
  }

  #malformed(why: string): ServiceError {
    return new ServiceError("REQUEST_INVALID", `malformed protobuf at byte ${this.#position}: ${why}`);
  }

  #forward(length: number): number {
    const left = this.#end - this.#position;
    if (length > left) throw this.#malformed(`a field of ${length} bytes begins, ${left} are left`);
    this.#position += length;
    return length;
  }

  /** Exact up to 2^53, which is far above every tag and length that can be valid. */
  #varint(): number {
    let value = 0;
    for (let index = 0; index < 10; index++) {
      if (this.#position >= this.#end) throw this.#malformed("it ends inside a number");
      const byte = this.#bytes[this.#position++]!;
      // Nearly all are one byte.
      if (index === 0 && byte < 0x80) return byte;
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return value;
    }
    throw this.#malformed("a number is longer than 10 bytes");
  }
}
