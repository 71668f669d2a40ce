import { joinedByteStrings } from "../../../lib/byte-strings.ts";
import type { InferTensorContents__Output } from "../../../lib/gen/inference/InferTensorContents.ts";
import type { DataType } from "../../../lib/tensor.ts";
import { tensorFault } from "./tensor-fault.ts";

type Contents = InferTensorContents__Output;
type Field = keyof Contents;

/**
 * Typed contents as raw bytes in a buffer of their own.
 *
 * Throws TENSOR_INVALID where the elements stand in another field than the data type's, where their number is not
 * `count`, or where one is out of range.
 */
export function bytesOfContents(
  contents: Contents | null,
  dataType: DataType,
  count: number,
  label: string,
): Uint8Array<ArrayBuffer> {
  const carrier = carriers[dataType];
  if (carrier === undefined) throw tensorFault(`${label} is ${dataType}, which travels only in raw_input_contents`);
  if (contents === null) {
    if (count === 0) return new Uint8Array(0);
    throw tensorFault(`${label} has no data; needed: ${protoName(carrier.field)} or raw_input_contents`);
  }
  const stray = fields.find((field) => field !== carrier.field && contents[field].length > 0);
  if (stray !== undefined) {
    throw tensorFault(`${label} is ${dataType} and has ${protoName(stray)}; needed: ${protoName(carrier.field)}`);
  }
  const seen = contents[carrier.field].length;
  if (seen !== count) {
    throw tensorFault(`${label} has ${seen} elements in ${protoName(carrier.field)}; its shape needs ${count}`);
  }
  return carrier.bytesOf(contents, label);
}

/** Where the elements of a data type travel, and how they become bytes. */
interface Carrier {
  readonly field: Field;
  bytesOf(contents: Contents, label: string): Uint8Array<ArrayBuffer>;
}

const carriers = {
  BOOL: carrier("boolContents", (elements) => Uint8Array.from(elements, Number)),
  INT8: carrier("intContents", (elements, label) => Int8Array.from(within(elements, -128, 127, label))),
  INT16: carrier("intContents", (elements, label) => Int16Array.from(within(elements, -32768, 32767, label))),
  INT32: carrier("intContents", (elements) => Int32Array.from(elements)),
  INT64: carrier("int64Contents", (elements) => BigInt64Array.from(elements, BigInt)),
  UINT8: carrier("uintContents", (elements, label) => Uint8Array.from(within(elements, 0, 255, label))),
  UINT16: carrier("uintContents", (elements, label) => Uint16Array.from(within(elements, 0, 65535, label))),
  UINT32: carrier("uintContents", (elements) => Uint32Array.from(elements)),
  UINT64: carrier("uint64Contents", (elements) => BigUint64Array.from(elements, BigInt)),
  FP16: undefined,
  BF16: undefined,
  FP32: carrier("fp32Contents", (elements) => Float32Array.from(elements)),
  FP64: carrier("fp64Contents", (elements) => Float64Array.from(elements)),
  BYTES: carrier("bytesContents", joinedByteStrings),
} as const satisfies Record<DataType, Carrier | undefined>;

const fields: readonly Field[] = [...new Set(Object.values(carriers).flatMap((known) => (known ? [known.field] : [])))];

function carrier<F extends Field>(
  field: F,
  arrayOf: (elements: Contents[F], label: string) => ArrayBufferView<ArrayBuffer>,
): Carrier {
  return {
    field,
    bytesOf: (contents, label) => {
      const { buffer, byteOffset, byteLength } = arrayOf(contents[field], label);
      return new Uint8Array(buffer, byteOffset, byteLength);
    },
  };
}

function within(elements: readonly number[], least: number, most: number, label: string): readonly number[] {
  const index = elements.findIndex((element) => element < least || element > most);
  if (index < 0) return elements;
  throw tensorFault(`${label} has ${elements[index]} as element ${index}; needed: ${least} to ${most}`);
}

/** The field's name in the contract. */
function protoName(field: Field): string {
  return field.replace("Contents", "_contents");
}
