import type { RowElements } from "../row-source.ts";
import type { ColumnValues } from "./column-source.ts";
import { encodedWidth, type FittedColumn } from "./preprocessing.ts";
import { part } from "./row-parts.ts";

/** Where the numbers of a column lie among those of all: `at` in each row of `stride`. */
export interface Lane {
  readonly into: RowElements;
  readonly stride: number;
  readonly at: number;
}

/** A value that cannot be taken: its row in the chunk, what it is and what it should be. */
export interface ValueFault {
  readonly row: number;
  readonly seen: string;
  readonly needed: string;
}

/** Turns the values of one column into numbers. */
export interface ColumnEncoder {
  readonly width: number;
  /** Rows of a chunk; `parts` says which are left out. Gives the first value that cannot be taken. */
  encode(values: ColumnValues, parts: Uint8Array, lane: Lane): ValueFault | undefined;
}

/** What numbers that are taken as they are must be, besides finite. */
export type NumberBound = {
  readonly what: "token" | "class";
  readonly count: number | undefined;
  readonly ignored?: number | undefined;
};

/** The encoder of a column that has been fitted; `bound` is for what has to be whole. */
export function columnEncoder(column: FittedColumn, bound: NumberBound | undefined): ColumnEncoder {
  if (column.encoder.kind !== "affine") return categoryEncoder(column);
  return bound === undefined ? numberEncoder(column) : wholeEncoder(column, bound);
}

function numberEncoder({ width, fill, encoder }: FittedColumn): ColumnEncoder {
  const { offset, scale } = encoder as Extract<FittedColumn["encoder"], { kind: "affine" }>;
  return {
    width,
    encode(values, parts, { into, stride, at }) {
      for (let row = 0; row < parts.length; row++) {
        if (parts[row] === part.leftOut) continue;
        for (let index = 0; index < width; index++) {
          let value = Math.fround(values[row * width + index] as number);
          if (Number.isNaN(value) && fill !== undefined) value = fill as number;
          if (!Number.isFinite(value)) return numberFault(values, row, width, index);
          into[row * stride + at + index] = Math.fround(value - offset[index]!) / scale[index]!;
        }
      }
      return undefined;
    },
  };
}

function wholeEncoder({ width, fill }: FittedColumn, bound: NumberBound): ColumnEncoder {
  const { what, count = 2 ** 31, ignored } = bound;
  return {
    width,
    encode(values, parts, { into, stride, at }) {
      for (let row = 0; row < parts.length; row++) {
        if (parts[row] === part.leftOut) continue;
        for (let index = 0; index < width; index++) {
          let value = values[row * width + index] as number;
          if (Number.isNaN(value) && fill !== undefined) value = fill as number;
          const isWhole = Number.isInteger(value) && value >= 0 && value < count;
          if (!isWhole && (value !== ignored || ignored === undefined)) {
            if (Number.isNaN(value)) return missingFault(row);
            const seen = `${value}${width === 1 ? "" : `, at place ${index + 1}`}`;
            const most = bound.count === undefined ? "" : ` to ${count - 1}`;
            const others = ignored === undefined ? "" : `, or ${ignored} for one that does not count`;
            return { row, seen, needed: `a ${what}, a whole number from 0${most}${others}` };
          }
          into[row * stride + at + index] = value;
        }
      }
      return undefined;
    },
  };
}

function categoryEncoder(column: FittedColumn): ColumnEncoder {
  const { kind, fill, encoder } = column;
  const { categories } = encoder as Exclude<FittedColumn["encoder"], { kind: "affine" }>;
  const codes = new Map<number | string, number>(categories.map((category, index) => [category, index]));
  const width = encodedWidth(column);
  const allowsUnknown = encoder.kind === "one_hot" && encoder.ignoreUnknown;
  const keyOf =
    kind === "text" ? (value: unknown) => value as string : (value: unknown) => Math.fround(value as number);
  return {
    width,
    encode(values, parts, { into, stride, at }) {
      for (let row = 0; row < parts.length; row++) {
        if (parts[row] === part.leftOut) continue;
        const value = values[row];
        const isMissing = value === undefined || value === "" || Number.isNaN(value);
        if (kind === "number" && !isMissing) {
          const rounded = Math.fround(value as number);
          if (!Number.isFinite(rounded)) return numberFault(values, row, 1, 0);
          if (Number.isInteger(value) && rounded !== value) return roundedFault(row, value as number);
        }
        if (isMissing && fill === undefined) return missingFault(row);
        const code = codes.get(isMissing ? fill! : keyOf(value));
        if (code === undefined && !allowsUnknown) return unknownFault(row, value!, categories);
        const begin = row * stride + at;
        if (encoder.kind === "index") into[begin] = code!;
        else {
          into.fill(0, begin, begin + width);
          if (code !== undefined) into[begin + code] = 1;
        }
      }
      return undefined;
    },
  };
}

function numberFault(values: ColumnValues, row: number, width: number, index: number): ValueFault {
  const value = values[row * width + index] as number;
  if (Number.isNaN(value)) return missingFault(row);
  const place = width === 1 ? "" : `, at place ${index + 1}`;
  return { row, seen: `${value}${place}`, needed: "a finite number, as FP32 holds it" };
}

/** Categories that FP32 makes the same would be one. */
function roundedFault(row: number, value: number): ValueFault {
  return { row, seen: `${value}`, needed: "a whole number that FP32 holds; or texts, for categories" };
}

function missingFault(row: number): ValueFault {
  return { row, seen: "missing", needed: "a value, or what data.columns says of missing ones" };
}

function unknownFault(row: number, value: number | string, categories: FittedCategories): ValueFault {
  const some = categories.slice(0, 5).map((category) => JSON.stringify(category));
  const list = `${some.join(", ")}${categories.length > 5 ? ", …" : ""}`;
  return { row, seen: JSON.stringify(value), needed: `one of the categories of the training rows, ${list}` };
}

type FittedCategories = readonly (number | string)[];
