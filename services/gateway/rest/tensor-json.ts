import { isUtf8 } from "node:buffer";
import { ServiceError } from "../../../lib/errors.ts";
import { brainHalfBits, brainHalfOf, halfBits, halfOf } from "../../../lib/half-floats.ts";
import { type DataType, elementBytes, elementCount } from "../../../lib/tensor.ts";
import { type JsonValue, shownJson } from "./json-text.ts";

/**
 * The raw bytes of a tensor whose elements JSON gives, flat or nested in any way, in row-major order. Throws TENSOR_INVALID where there
 * are not as many as the shape says, or where one is none of the data type.
 */
export function rawOfJson(dataType: DataType, shape: readonly number[], data: JsonValue, label: string): Buffer {
  const count = elementCount(shape);
  const leaves = leafCount(data);
  if (leaves !== count) {
    throw invalid(`${label} has ${leaves} elements; needed: ${count}, as its shape [${shape.join(", ")}] says`);
  }
  if (dataType === "BYTES") return rawTexts(data, label);
  const { needed, write } = forms[dataType];
  const size = elementBytes[dataType];
  const raw = Buffer.alloc(count * size);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  let offset = 0;
  eachLeaf(data, (leaf) => {
    if (!write(view, offset, leaf)) {
      throw invalid(`${label} has ${shownJson(leaf)} as element ${offset / size}; needed: ${needed}`);
    }
    offset += size;
  });
  return raw;
}

/**
 * The elements of a tensor from its raw bytes, flat. Throws INTERNAL where the bytes are not those of so many elements, and
 * TENSOR_INVALID for BYTES that are no UTF-8, which JSON cannot say.
 */
export function jsonOfRaw(dataType: DataType, count: number, raw: Uint8Array, label: string): readonly JsonValue[] {
  if (dataType === "BYTES") return textsOf(raw, count, label);
  const { read } = forms[dataType];
  const size = elementBytes[dataType];
  if (raw.byteLength !== count * size) {
    throw new ServiceError("INTERNAL", `${label} came with ${raw.byteLength} bytes; needed: ${count * size}`);
  }
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return Array.from({ length: count }, (_, index) => read(view, index * size));
}

/** How an element crosses; `write` answers whether the value is one. */
interface ElementForm {
  readonly needed: string;
  readonly write: (view: DataView, offset: number, value: JsonValue) => boolean;
  readonly read: (view: DataView, offset: number) => JsonValue;
}

function small(
  min: number,
  max: number,
  form: Pick<ElementForm, "read"> & { set: (view: DataView, offset: number, value: number) => void },
) {
  return {
    needed: `a whole number from ${min} to ${max}`,
    read: form.read,
    write: (view, offset, value) => {
      if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) return false;
      form.set(view, offset, value);
      return true;
    },
  } as const satisfies ElementForm;
}

function large(
  min: bigint,
  max: bigint,
  form: Pick<ElementForm, "read"> & { set: (view: DataView, offset: number, value: bigint) => void },
) {
  return {
    needed: `a whole number from ${min} to ${max}`,
    read: form.read,
    write: (view, offset, value) => {
      const isWhole = typeof value === "bigint" || Number.isSafeInteger(value);
      const whole = isWhole ? BigInt(value as number | bigint) : undefined;
      if (whole === undefined || whole < min || whole > max) return false;
      form.set(view, offset, whole);
      return true;
    },
  } as const satisfies ElementForm;
}

/** `read` tells also whether a finite number has become an infinite one, which is a loss. */
function float(
  name: string,
  form: {
    read: (view: DataView, offset: number) => number;
    set: (view: DataView, offset: number, value: number) => void;
  },
) {
  return {
    needed: `a number that ${name} holds`,
    read: form.read,
    write: (view, offset, value) => {
      if (typeof value !== "number" && typeof value !== "bigint") return false;
      const number = Number(value);
      form.set(view, offset, number);
      return Number.isFinite(form.read(view, offset)) || !Number.isFinite(number);
    },
  } as const satisfies ElementForm;
}

const forms = {
  BOOL: {
    needed: "true or false",
    read: (view, offset) => view.getUint8(offset) !== 0,
    write: (view, offset, value) => {
      view.setUint8(offset, Number(value === true));
      return typeof value === "boolean";
    },
  },
  UINT8: small(0, 2 ** 8 - 1, {
    read: (view, at) => view.getUint8(at),
    set: (view, at, value) => view.setUint8(at, value),
  }),
  UINT16: small(0, 2 ** 16 - 1, {
    read: (view, at) => view.getUint16(at, true),
    set: (view, at, value) => view.setUint16(at, value, true),
  }),
  UINT32: small(0, 2 ** 32 - 1, {
    read: (view, at) => view.getUint32(at, true),
    set: (view, at, value) => view.setUint32(at, value, true),
  }),
  UINT64: large(0n, 2n ** 64n - 1n, {
    read: (view, at) => view.getBigUint64(at, true),
    set: (view, at, value) => view.setBigUint64(at, value, true),
  }),
  INT8: small(-(2 ** 7), 2 ** 7 - 1, {
    read: (view, at) => view.getInt8(at),
    set: (view, at, value) => view.setInt8(at, value),
  }),
  INT16: small(-(2 ** 15), 2 ** 15 - 1, {
    read: (view, at) => view.getInt16(at, true),
    set: (view, at, value) => view.setInt16(at, value, true),
  }),
  INT32: small(-(2 ** 31), 2 ** 31 - 1, {
    read: (view, at) => view.getInt32(at, true),
    set: (view, at, value) => view.setInt32(at, value, true),
  }),
  INT64: large(-(2n ** 63n), 2n ** 63n - 1n, {
    read: (view, at) => view.getBigInt64(at, true),
    set: (view, at, value) => view.setBigInt64(at, value, true),
  }),
  FP16: float("FP16", {
    read: (view, at) => halfOf(view.getUint16(at, true)),
    set: (view, at, value) => view.setUint16(at, halfBits(value), true),
  }),
  BF16: float("BF16", {
    read: (view, at) => brainHalfOf(view.getUint16(at, true)),
    set: (view, at, value) => view.setUint16(at, brainHalfBits(value), true),
  }),
  FP32: float("FP32", {
    read: (view, at) => view.getFloat32(at, true),
    set: (view, at, value) => view.setFloat32(at, value, true),
  }),
  FP64: float("FP64", {
    read: (view, at) => view.getFloat64(at, true),
    set: (view, at, value) => view.setFloat64(at, value, true),
  }),
} as const satisfies Record<Exclude<DataType, "BYTES">, ElementForm>;

function rawTexts(data: JsonValue, label: string): Buffer {
  const parts: Buffer[] = [];
  eachLeaf(data, (leaf) => {
    if (typeof leaf !== "string") {
      throw invalid(`${label} has ${shownJson(leaf)} as element ${parts.length / 2}; needed: a string`);
    }
    const text = Buffer.from(leaf);
    const length = Buffer.alloc(lengthBytes);
    length.writeUInt32LE(text.length);
    parts.push(length, text);
  });
  return Buffer.concat(parts);
}

function textsOf(raw: Uint8Array, count: number, label: string): readonly string[] {
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
  const texts: string[] = [];
  let offset = 0;
  while (offset + lengthBytes <= bytes.length) {
    const begin = offset + lengthBytes;
    offset = begin + bytes.readUInt32LE(offset);
    const text = bytes.subarray(begin, offset);
    if (!isUtf8(text)) throw invalid(`${label} has bytes that are no UTF-8; needed: to ask for it as binary data`);
    texts.push(text.toString());
  }
  if (texts.length === count && offset === bytes.length) return texts;
  throw new ServiceError(
    "INTERNAL",
    `${label} came with ${texts.length} texts in ${bytes.length} bytes; needed: ${count}`,
  );
}

function leafCount(data: JsonValue): number {
  return Array.isArray(data) ? data.reduce((sum: number, part: JsonValue) => sum + leafCount(part), 0) : 1;
}

function eachLeaf(data: JsonValue, take: (leaf: JsonValue) => void): void {
  if (!Array.isArray(data)) take(data);
  else for (const part of data as readonly JsonValue[]) eachLeaf(part, take);
}

function invalid(message: string): ServiceError {
  return new ServiceError("TENSOR_INVALID", message);
}

/** Before each element of BYTES. */
const lengthBytes = 4;
