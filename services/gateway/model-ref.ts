import { ServiceError } from "../../lib/errors.ts";

/** Which version of which model a request is for, as the caller wrote it. */
export interface ModelRef {
  readonly model: string;
  /** A number, an alias, or empty. */
  readonly version: string;
}

/** The numbers of the fields that name the model and the version in a kind of request; all of them are strings. */
export interface RefLayout {
  readonly model: number;
  readonly version?: number;
  /** Names the model where the field `model` is empty: KServe's place for it in repository calls. */
  readonly modelFallback?: number;
}

/**
 * Reads the model and the version of a request without decoding anything else: other fields are skipped, so tensors
 * cost nothing. As in every protobuf parser fields come in any order, the last of several wins, and a field of another
 * wire type is skipped. Throws REQUEST_INVALID for bytes that are not a message.
 *
 * Source: https://protobuf.dev/programming-guides/encoding/
 */
export function readModelRef(bytes: Uint8Array, layout: RefLayout): ModelRef {
  const reader = new FieldReader(bytes);
  const found = new Map<number, Span>();
  const { model, version, modelFallback } = layout;
  let groupDepth = 0;
  while (!reader.atEnd()) {
    const tag = reader.tag();
    const number = tag >>> 3;
    const wireType = tag & 7;
    if (wireType === WireType.group) groupDepth++;
    else if (wireType === WireType.groupEnd) groupDepth--;
    if (groupDepth < 0) throw reader.malformed("a group ends that never began");
    const length = reader.skip(wireType);
    const wanted = number === model || number === version || number === modelFallback;
    if (wanted && wireType === WireType.bytes && groupDepth === 0) {
      found.set(number, { start: reader.position - length, end: reader.position });
    }
  }
  if (groupDepth > 0) throw reader.malformed("a group never ends");
  const text = (field: number | undefined) => textOf(bytes, field === undefined ? undefined : found.get(field));
  return { model: text(model) || text(modelFallback), version: text(version) };
}

/** Longest name of a model or version in bytes; the registry's own limit is far below. */
const nameBytesMax = 1024;
/** A message of tiny fields could keep the event loop busy for seconds; no real request comes near. */
const fieldsMax = 131_072;

const WireType = { varint: 0, fixed64: 1, bytes: 2, group: 3, groupEnd: 4, fixed32: 5 } as const;

/** A range of bytes, end excluded. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** Walks over the fields of a message; never reads past its end. */
class FieldReader {
  readonly #bytes: Uint8Array;
  #position = 0;
  #fields = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get position(): number {
    return this.#position;
  }

  atEnd(): boolean {
    return this.#position >= this.#bytes.length;
  }

  /** Field number and wire type, as one unsigned 32-bit integer. */
  tag(): number {
    if (++this.#fields > fieldsMax) throw this.malformed(`it has more than ${fieldsMax} fields`);
    const tag = this.#varint();
    if (tag > 0xffff_ffff || tag < 8) throw this.malformed("a field number is out of range");
    return tag;
  }

  /** Moves behind the value of a field; answers the length of a length-delimited one. */
  skip(wireType: number): number {
    if (wireType === WireType.varint) this.#varint();
    else if (wireType === WireType.fixed64) this.#forward(8);
    else if (wireType === WireType.fixed32) this.#forward(4);
    else if (wireType === WireType.bytes) return this.#forward(this.#varint());
    else if (wireType > WireType.fixed32) throw this.malformed(`wire type ${wireType} does not exist`);
    return 0;
  }

  malformed(why: string): ServiceError {
    return new ServiceError("REQUEST_INVALID", `malformed protobuf at byte ${this.#position}: ${why}`);
  }

  #forward(length: number): number {
    const left = this.#bytes.length - this.#position;
    if (length > left) throw this.malformed(`a field of ${length} bytes begins, ${left} are left`);
    this.#position += length;
    return length;
  }

  /** Exact up to 2^53, which is far above every tag and length that can be valid. */
  #varint(): number {
    const first = this.#bytes[this.#position];
    if (first !== undefined && first < 0x80) {
      this.#position++;
      return first;
    }
    let value = 0;
    for (let index = 0; index < 10; index++) {
      if (this.atEnd()) throw this.malformed("it ends inside a number");
      const byte = this.#bytes[this.#position++]!;
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return value;
    }
    throw this.malformed("a number is longer than 10 bytes");
  }
}

function textOf(bytes: Uint8Array, span: Span | undefined): string {
  if (span === undefined) return "";
  const { start, end } = span;
  if (end - start > nameBytesMax) {
    throw new ServiceError(
      "REQUEST_INVALID",
      `the name of the model or version has ${end - start} bytes; needed: at most ${nameBytesMax}`,
    );
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");
}
