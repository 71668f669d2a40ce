import { type Field, type LargeInteger, lengthDelimited, type Message, type MessageType } from "./message-type.ts";

/** Fields come in the order of their numbers; what is undefined or null is not there, and an empty list neither. */
export function writeMessage(type: MessageType, message: object): Uint8Array {
  return new Writer().written(type, message as Message);
}

/** Goes over a message twice: first for the sizes that stand before what they are the size of. */
class Writer {
  /** Of messages and packed lists, in the order in which they begin. */
  readonly #sizes: number[] = [];
  #next = 0;
  #bytes = Buffer.alloc(0);
  #at = 0;

  written(type: MessageType, message: Message): Uint8Array {
    this.#bytes = Buffer.allocUnsafeSlow(this.#sizeOf(type, message));
    this.#next = 1;
    this.#write(type, message);
    return this.#bytes;
  }

  #sizeOf(type: MessageType, message: Message): number {
    return this.#sized(() => {
      let size = 0;
      for (const field of type.fields) {
        const tagSize = field.id < 16 ? 1 : 2;
        const values = valuesOf(field, message);
        if (values.length === 0) continue;
        if (field.isPacked) {
          const packed = this.#sized(() => this.#sizeOfAll(field, values, 0));
          size += tagSize + varintSize(packed, 0) + packed;
        } else size += this.#sizeOfAll(field, values, tagSize);
      }
      return size;
    });
  }

  #sized(measure: () => number): number {
    const place = this.#sizes.push(0) - 1;
    const size = measure();
    this.#sizes[place] = size;
    return size;
  }

  #sizeOfAll(field: Field, values: ArrayLike<unknown>, tagSize: number): number {
    let size = values.length * tagSize;
    for (let index = 0; index < values.length; index++) size += this.#sizeOfValue(field, values[index]);
    return size;
  }

  #sizeOfValue({ value: kind, wire }: Field, value: unknown): number {
    if (wire === 5) return 4;
    if (wire === 1) return 8;
    if (wire === 0) return varintSize(...halvesOf(value as number | LargeInteger));
    let size: number;
    if (kind === "string") size = Buffer.byteLength(value as string);
    else if (kind === "bytes") size = (value as Uint8Array).byteLength;
    else size = this.#sizeOf((kind as { of: () => MessageType }).of(), value as Message);
    return varintSize(size, 0) + size;
  }

  #write(type: MessageType, message: Message): void {
    for (const field of type.fields) {
      const values = valuesOf(field, message);
      if (values.length === 0) continue;
      const tag = (field.id << 3) | (field.isPacked ? lengthDelimited : field.wire);
      if (field.isPacked) {
        this.#varint(tag, 0);
        this.#varint(this.#sizes[this.#next++]!, 0);
      }
      for (let index = 0; index < values.length; index++) {
        if (!field.isPacked) this.#varint(tag, 0);
        this.#value(field, values[index]);
      }
    }
  }

  #value({ value: kind }: Field, value: unknown): void {
    if (kind === "float") this.#at = this.#bytes.writeFloatLE(value as number, this.#at);
    else if (kind === "double") this.#at = this.#bytes.writeDoubleLE(value as number, this.#at);
    else if (kind === "string") {
      this.#varint(Buffer.byteLength(value as string), 0);
      this.#at += this.#bytes.write(value as string, this.#at);
    } else if (kind === "bytes") {
      const bytes = value as Uint8Array;
      this.#varint(bytes.byteLength, 0);
      this.#bytes.set(bytes, this.#at);
      this.#at += bytes.byteLength;
    } else if (typeof kind === "string") this.#varint(...halvesOf(value as number | LargeInteger));
    else {
      this.#varint(this.#sizes[this.#next++]!, 0);
      this.#write(kind.of(), value as Message);
    }
  }

  #varint(low: number, high: number): void {
    let [lowRest, highRest] = [low >>> 0, high >>> 0];
    while (highRest > 0 || lowRest > 127) {
      this.#bytes[this.#at++] = (lowRest & 127) | 128;
      lowRest = ((lowRest >>> 7) | (highRest << 25)) >>> 0;
      highRest >>>= 7;
    }
    this.#bytes[this.#at++] = lowRest;
  }
}

function valuesOf({ name, isRepeated }: Field, message: Message): ArrayLike<unknown> {
  const value = message[name];
  if (value === undefined || value === null) return [];
  return isRepeated ? (value as ArrayLike<unknown>) : [value];
}

function varintSize(low: number, high: number): number {
  const bits = high === 0 ? 32 - Math.clz32(low) : 64 - Math.clz32(high);
  return Math.max(1, Math.ceil(bits / 7));
}

/** Negative numbers have 64 bits in every type. */
function halvesOf(value: number | LargeInteger): [low: number, high: number] {
  if (typeof value === "number") return [value >>> 0, Math.floor(value / 2 ** 32) >>> 0];
  return [value.low >>> 0, value.high >>> 0];
}
