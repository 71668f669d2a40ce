import { joinedByteStrings } from "../../../lib/byte-strings.ts";
import { brainHalfBits, halfBits } from "../../../lib/half-floats.ts";
import { type DataType, elementBytes } from "../../../lib/tensor.ts";
import type { ColumnValues } from "../datasets/columns/column-source.ts";

/** A value that an input cannot take: where it is, what it is and what is needed. */
export interface InputFault {
  /** Its row among those that were given. */
  readonly row: number;
  /** Its column, by the index among those that were given. */
  readonly column: number;
  readonly seen: string;
  readonly needed: string;
}

/** Columns with their widths, and how many elements of a row count. */
export interface ColumnBlock {
  readonly rowCount: number;
  readonly values: readonly ColumnValues[];
  readonly widths: readonly number[];
  /** The first so many elements of a row are taken. */
  readonly taken: number;
}

type Write = (view: DataView, offset: number, value: number) => void;

/** How numbers become elements; whole ones have their range. */
const writers = {
  BOOL: { range: [0, 1], write: (view, offset, value) => view.setUint8(offset, value) },
  UINT8: { range: [0, 2 ** 8 - 1], write: (view, offset, value) => view.setUint8(offset, value) },
  UINT16: { range: [0, 2 ** 16 - 1], write: (view, offset, value) => view.setUint16(offset, value, true) },
  UINT32: { range: [0, 2 ** 32 - 1], write: (view, offset, value) => view.setUint32(offset, value, true) },
  UINT64: { range: [0, 2 ** 53 - 1], write: (view, offset, value) => view.setBigUint64(offset, BigInt(value), true) },
  INT8: { range: [-(2 ** 7), 2 ** 7 - 1], write: (view, offset, value) => view.setInt8(offset, value) },
  INT16: { range: [-(2 ** 15), 2 ** 15 - 1], write: (view, offset, value) => view.setInt16(offset, value, true) },
  INT32: { range: [-(2 ** 31), 2 ** 31 - 1], write: (view, offset, value) => view.setInt32(offset, value, true) },
  INT64: {
    range: [-(2 ** 53) + 1, 2 ** 53 - 1],
    write: (view, offset, value) => view.setBigInt64(offset, BigInt(value), true),
  },
  FP16: { range: undefined, write: (view, offset, value) => view.setUint16(offset, halfBits(value), true) },
  BF16: { range: undefined, write: (view, offset, value) => view.setUint16(offset, brainHalfBits(value), true) },
  FP32: { range: undefined, write: (view, offset, value) => view.setFloat32(offset, value, true) },
  FP64: { range: undefined, write: (view, offset, value) => view.setFloat64(offset, value, true) },
} as const satisfies Record<
  Exclude<DataType, "BYTES">,
  { readonly range: readonly [number, number] | undefined; readonly write: Write }
>;

/**
 * The elements of a tensor, row after row, as the Open Inference Protocol has them. A missing number is NaN where the type has that, and a
 * fault where it has not; a missing text is empty.
 */
export function columnBytes(dataType: DataType, block: ColumnBlock): Uint8Array | InputFault {
  return dataType === "BYTES" ? textBytes(block) : numberBytes(dataType, block);
}

function numberBytes(dataType: Exclude<DataType, "BYTES">, block: ColumnBlock): Uint8Array | InputFault {
  const { rowCount, values, widths, taken } = block;
  const size = elementBytes[dataType];
  const view = new DataView(new ArrayBuffer(rowCount * taken * size));
  const { range, write } = writers[dataType];
  let at = 0;
  for (const [column, width] of widths.entries()) {
    const numbers = values[column] as ArrayLike<number>;
    const count = Math.min(width, taken - at);
    for (let row = 0; row < rowCount; row++) {
      for (let index = 0; index < count; index++) {
        const value = numbers[row * width + index]!;
        if (range !== undefined && !isWholeIn(value, range)) return faultOf(row, column, value, range);
        write(view, (row * taken + at + index) * size, value);
      }
    }
    at += count;
  }
  return new Uint8Array(view.buffer);
}

function isWholeIn(value: number, [least, most]: readonly [number, number]): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function faultOf(row: number, column: number, value: number, [least, most]: readonly [number, number]): InputFault {
  const seen = Number.isNaN(value) ? "missing" : String(value);
  return { row, column, seen, needed: `a whole number in [${least}, ${most}]` };
}

function textBytes({ rowCount, values, widths, taken }: ColumnBlock): Uint8Array {
  const parts: Buffer[] = [];
  for (let row = 0; row < rowCount; row++) {
    let left = taken;
    for (const [column, width] of widths.entries()) {
      for (let index = 0; index < width && left > 0; index++, left--) {
        const value = values[column]![row * width + index];
        parts.push(Buffer.from(value === undefined || Number.isNaN(value) ? "" : String(value)));
      }
    }
  }
  return joinedByteStrings(parts);
}
