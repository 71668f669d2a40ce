import { type Field, type LargeInteger, lengthDelimited, type Message, type MessageType } from "./message-type.ts";

/** Throws a RangeError where the bytes are not a message. What is read may alias them; fields that the type lacks are left out. */
export function readMessage(type: MessageType, bytes: Uint8Array): Message {
  return new Reader(bytes).message(type, bytes.byteLength, 0);
}

/** Deeper messages are refused, as by Google's own readers. */
const depthMax = 100;

class Reader {
  readonly #bytes: Uint8Array;
  readonly #text: Buffer;
  readonly #view: DataView;
  #at = 0;
  /** The halves of the last number. */
  #low = 0;
  #high = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  message(type: MessageType, end: number, depth: number): Message {
    if (depth > depthMax) throw new RangeError(`messages are nested more than ${depthMax} deep`);
    const message: Message = {};
    while (this.#at < end) {
      this.#varint(end);
      const tag = this.#low >>> 0;
      const field = type.byId[tag >>> 3];
      const wire = tag & 7;
      if (field !== undefined && wire === field.wire) {
        const value = this.#value(field, end, depth);
        if (!field.isRepeated) message[field.name] = value;
        else this.#listOf(message, field).push(value);
      } else if (field?.isRepeated && wire === lengthDelimited) this.#packed(this.#listOf(message, field), field, end);
      else this.#skip(tag, end, depth);
    }
    return message;
  }

  #listOf(message: Message, { name }: Field): unknown[] {
    message[name] ??= [];
    return message[name] as unknown[];
  }

  #packed(list: unknown[], field: Field, end: number): void {
    const packedEnd = this.#length(end);
    // Files may have millions of them.
    if (field.value === "float") {
      const view = this.#view;
      let at = this.#at;
      for (; at + 4 <= packedEnd; at += 4) list.push(view.getFloat32(at, true));
      this.#at = at;
    }
    while (this.#at < packedEnd) list.push(this.#value(field, packedEnd, 0));
  }

  #value({ value }: Field, end: number, depth: number): unknown {
    switch (value) {
      case "int32":
        this.#varint(end);
        return this.#low;
      case "int64":
        this.#varint(end);
        return integerOf(this.#low, this.#high, false);
      case "uint64":
        this.#varint(end);
        return integerOf(this.#low, this.#high, true);
      case "float":
        return this.#view.getFloat32(this.#pass(4, end), true);
      case "double":
        return this.#view.getFloat64(this.#pass(8, end), true);
      case "string": {
        const textEnd = this.#length(end);
        return this.#text.toString("utf8", this.#pass(textEnd - this.#at, end), textEnd);
      }
      case "bytes": {
        const bytesEnd = this.#length(end);
        return this.#bytes.subarray(this.#pass(bytesEnd - this.#at, end), bytesEnd);
      }
      default:
        return this.message(value.of(), this.#length(end), depth + 1);
    }
  }

  /** Where what begins here with its length ends. */
  #length(end: number): number {
    this.#varint(end);
    const lengthEnd = this.#at + (this.#low >>> 0);
    if (this.#high !== 0 || lengthEnd > end) throw cutOff(this.#at);
    return lengthEnd;
  }

  /** Goes on behind so many bytes, and answers where they begin. */
  #pass(count: number, end: number): number {
    const begin = this.#at;
    this.#at += count;
    if (this.#at > end) throw cutOff(begin);
    return begin;
  }

  #varint(end: number): void {
    this.#low = 0;
    this.#high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= end) throw cutOff(this.#at);
      const byte = this.#bytes[this.#at++]!;
      const bits = byte & 127;
      if (shift < 32) this.#low |= bits << shift;
      if (shift > 28) this.#high |= bits << (shift - 32);
      else if (shift === 28) this.#high = bits >>> 4;
      if (byte < 128) return;
    }
    throw new RangeError(`the number before byte ${this.#at} has more than ten bytes`);
  }

  #skip(tag: number, end: number, depth: number): void {
    if (tag >>> 3 === 0) throw new RangeError(`the field before byte ${this.#at} has the number 0`);
    const wire = tag & 7;
    if (wire === 0) this.#varint(end);
    else if (wire === 1) this.#pass(8, end);
    else if (wire === lengthDelimited) this.#at = this.#length(end);
    else if (wire === 5) this.#pass(4, end);
    else if (wire === 3) this.#skipGroup(tag + 1, end, depth + 1);
    else throw new RangeError(`the field before byte ${this.#at} is of an unknown kind`);
  }

  #skipGroup(endTag: number, end: number, depth: number): void {
    if (depth > depthMax) throw new RangeError(`groups are nested more than ${depthMax} deep`);
    while (true) {
      this.#varint(end);
      const tag = this.#low >>> 0;
      if (tag === endTag) return;
      this.#skip(tag, end, depth);
    }
  }
}

function cutOff(at: number): RangeError {
  return new RangeError(`what begins at byte ${at} is cut off`);
}

function integerOf(low: number, high: number, unsigned: boolean): number | LargeInteger {
  const number = (unsigned ? high >>> 0 : high) * 2 ** 32 + (low >>> 0);
  return Number.isSafeInteger(number) ? number : { low, high, unsigned };
}
