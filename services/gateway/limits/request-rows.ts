import { ServiceError } from "../../../lib/errors.ts";
import { FieldReader, type Span, WireType } from "../message-fields.ts";

/**
 * The rows of an inference request: the first size in the shape of its first input, and 1 where there is none or it is below 1. Tensors are
 * skipped, not decoded. Throws REQUEST_INVALID for bytes that are not a message.
 */
export function rowsOf(request: Uint8Array): number {
  const reader = new FieldReader(request, fieldsMax);
  while (reader.next()) {
    if (reader.number === inputsField && reader.wireType === WireType.bytes) return rowsOfInput(request, reader.value);
  }
  return 1;
}

function rowsOfInput(bytes: Uint8Array, input: Span): number {
  const reader = new FieldReader(bytes, fieldsMax, input);
  while (reader.next()) {
    if (reader.number !== shapeField) continue;
    const { start, end } = reader.value;
    // Packed or not, the first number stands first.
    const isNumber = reader.wireType === WireType.varint || reader.wireType === WireType.bytes;
    if (isNumber && end > start) return Math.max(1, numberAt(bytes, start, end));
  }
  return 1;
}

/** A varint of 64 bits as the signed number that it is. */
function numberAt(bytes: Uint8Array, start: number, end: number): number {
  let value = 0n;
  for (let index = start; index < end; index++) {
    value |= BigInt(bytes[index]! & 0x7f) << BigInt(7 * (index - start));
    if (bytes[index]! < 0x80) return Number(BigInt.asIntN(64, value));
    if (index - start === 9) break;
  }
  throw new ServiceError("REQUEST_INVALID", `malformed protobuf at byte ${start}: a size of a shape never ends`);
}

/** `inputs` of ModelInferRequest, and `shape` of an input. */
const inputsField = 5;
const shapeField = 3;

/** As for what names the model. */
const fieldsMax = 131_072;
