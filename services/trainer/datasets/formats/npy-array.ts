import { halfOf } from "../../../../lib/half-floats.ts";
import { product } from "../../../../lib/onnx/shapes.ts";
import type { ByteReader } from "./byte-reader.ts";
import { badValue, datasetError } from "./dataset-error.ts";

/** The header of a NumPy array in a file (NEP 1). */
export interface NpyHeader {
  readonly element: NpyElement;
  readonly isLittleEndian: boolean;
  /** At least one axis. */
  readonly shape: readonly number[];
  /** Of the header itself. */
  readonly bytes: number;
}

/** A type of elements. */
interface NpyElement {
  readonly bytes: number;
  /** Whole numbers become INT32. */
  readonly isWhole: boolean;
  /** Reads an element at an offset; `isLittle` as in DataView. */
  readonly at: (view: DataView, offset: number, isLittle: boolean) => number;
}

/** By the kind and the bytes of NumPy's type. */
const elements: Readonly<Record<string, NpyElement>> = {
  b1: { bytes: 1, isWhole: true, at: (view, offset) => (view.getUint8(offset) === 0 ? 0 : 1) },
  i1: { bytes: 1, isWhole: true, at: (view, offset) => view.getInt8(offset) },
  i2: { bytes: 2, isWhole: true, at: (view, offset, isLittle) => view.getInt16(offset, isLittle) },
  i4: { bytes: 4, isWhole: true, at: (view, offset, isLittle) => view.getInt32(offset, isLittle) },
  i8: { bytes: 8, isWhole: true, at: (view, offset, isLittle) => Number(view.getBigInt64(offset, isLittle)) },
  u1: { bytes: 1, isWhole: true, at: (view, offset) => view.getUint8(offset) },
  u2: { bytes: 2, isWhole: true, at: (view, offset, isLittle) => view.getUint16(offset, isLittle) },
  u4: { bytes: 4, isWhole: true, at: (view, offset, isLittle) => view.getUint32(offset, isLittle) },
  u8: { bytes: 8, isWhole: true, at: (view, offset, isLittle) => Number(view.getBigUint64(offset, isLittle)) },
  f2: { bytes: 2, isWhole: false, at: (view, offset, isLittle) => halfOf(view.getUint16(offset, isLittle)) },
  f4: { bytes: 4, isWhole: false, at: (view, offset, isLittle) => view.getFloat32(offset, isLittle) },
  f8: { bytes: 8, isWhole: false, at: (view, offset, isLittle) => view.getFloat64(offset, isLittle) },
};

/** Reads the header; `name` is what messages call the array. Throws DATASET_INVALID for arrays of anything but numbers and for columns first. */
export async function readNpyHeader(reader: ByteReader, name: string): Promise<NpyHeader> {
  const start = await reader.read(10);
  if (Buffer.from(start.subarray(0, 6)).toString("latin1") !== "\x93NUMPY") {
    throw datasetError(`${name} is no NumPy array: it does not begin with its magic bytes`);
  }
  const isLong = start[6] >= 2;
  const rest = isLong ? await reader.read(2) : new Uint8Array();
  const length = start[8] + start[9] * 2 ** 8 + (isLong ? rest[0] * 2 ** 16 + rest[1] * 2 ** 24 : 0);
  if (length > headerBytesMax)
    throw datasetError(`${name} has a header of ${length} bytes; needed: at most ${headerBytesMax}`);
  const text = Buffer.from(await reader.read(length)).toString("latin1");
  const type = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1];
  const [, order, kind] = /^([<>|=])(\w+)$/.exec(type ?? "") ?? [];
  const element = Object.hasOwn(elements, kind ?? "") ? elements[kind] : undefined;
  if (element === undefined)
    throw datasetError(`${name} is of ${type ?? "records"}; needed: ${Object.keys(elements).join(", ")}`);
  if (!/'fortran_order'\s*:\s*False/.test(text)) {
    throw datasetError(
      `${name} has its columns one after the other (fortran_order); needed: its rows, as of numpy.ascontiguousarray`,
    );
  }
  const shape = (/'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text)?.[1] ?? "")
    .split(",")
    .map((size) => size.trim())
    .filter(Boolean)
    .map((size) => Number.parseInt(size, 10));
  if (shape.length === 0) throw datasetError(`${name} is a single number; needed: an axis of rows`);
  if (!shape.every(Number.isSafeInteger) || !Number.isSafeInteger(shape.reduce((all, size) => all * size, 8))) {
    throw datasetError(`${name} has the shape [${shape.join(", ")}], which no file holds`);
  }
  return { element, isLittleEndian: order !== ">", shape, bytes: start.length + rest.length + length };
}

const headerBytesMax = 65_536;

/** Numbers of consecutive rows from the bytes of an array; `firstRow` counts from 0. Throws DATASET_INVALID that names row and column. */
export function npyNumbers(bytes: Uint8Array, header: NpyHeader, firstRow: number): Float32Array | Int32Array {
  const { element, isLittleEndian, shape } = header;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const numbers = new (element.isWhole ? Int32Array : Float32Array)(bytes.byteLength / element.bytes);
  const width = numbers.length === 0 ? 1 : product(shape.slice(1));
  for (let index = 0; index < numbers.length; index++) {
    const number = element.at(view, index * element.bytes, isLittleEndian);
    numbers[index] = number;
    if (element.isWhole ? numbers[index] === number : Number.isFinite(numbers[index])) continue;
    const place = `row ${firstRow + Math.floor(index / width) + 1}`;
    const column = (index % width) + 1;
    if (!element.isWhole) throw badValue(place, { label: column, name: `column${column - 1}` }, String(number));
    throw datasetError(`${place}, column ${column} is ${number}; needed: a whole number that INT32 holds`, { place });
  }
  return numbers;
}
