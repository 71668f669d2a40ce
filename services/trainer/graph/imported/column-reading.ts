import { dataTypeOf } from "../../../../lib/onnx/element-type.ts";
import type { Node, Value } from "../../../../lib/onnx/graph.ts";
import { intOf } from "../../../../lib/onnx/operators/inference.ts";
import type { Categories, Encoder, FittedColumn } from "../../datasets/columns/preprocessing.ts";

/** What a value of a graph is made of. */
export interface Reading {
  readonly columns: readonly FittedColumn[];
  readonly dataType: Value["dataType"];
  readonly stage: /** The numbers of columns, side by side. */
    | "numbers"
    | "texts"
    /** The index of each value's category. */
    | "index"
    /** Of each category, whether it is the value's. */
    | "places"
    /** Which numbers are not missing. */
    | "known";
}

type Readings = ReadonlyMap<Value, Reading>;
type Affine = Extract<Encoder, { kind: "affine" }>;

/** An input as a column, as it comes; undefined where it is none: rows of some numbers, or of one text. */
export function readingOfInput({ name, dataType, shape, unknown }: Value): Reading | undefined {
  const [rows, width, ...others] = shape;
  if (unknown !== undefined || typeof rows !== "string" || typeof width !== "number" || others.length > 0) return;
  const isText = dataType === "BYTES";
  if (isText ? width !== 1 : !/^(FP32|INT32|INT64)$/.test(dataType)) return;
  const encoder = { kind: "affine", offset: new Float32Array(width), scale: new Float32Array(width).fill(1) } as const;
  const column = { name, kind: isText ? "text" : "number", width, fill: undefined, encoder } as const;
  return { columns: [column], dataType, stage: isText ? "texts" : "numbers" };
}

/**
 * What a node gives, by what it is given: the operators that `servedWith` of preprocessing-graph.ts puts in front of a network. Undefined for
 * any other.
 */
export function readingOf(node: Node, readings: Readings): Reading | undefined {
  return node.outputs.length === 1 ? readers[node.operator]?.(node, readings) : undefined;
}

const readers: Readonly<Record<string, (node: Node, readings: Readings) => Reading | undefined>> = {
  Concat({ inputs, attributes }, readings) {
    const parts = inputs.map((input) => readings.get(input));
    const [first] = parts;
    const isJoined = parts.every((part) => part?.stage === "numbers" && part.dataType === first!.dataType);
    if (!isJoined || ![1, -1].includes(intOf(attributes, "axis", 0))) return;
    return { ...first!, columns: parts.flatMap((part) => part!.columns) };
  },
  Equal({ inputs: [x, y] }, readings) {
    const reading = readings.get(x!);
    if (x === y && reading?.stage === "numbers") return { ...reading, stage: "known" };
    const { categories } = (reading?.columns[0]?.encoder ?? {}) as { categories?: Categories };
    const places = numbersOf(y!);
    const isEach = places?.length === categories?.length && places?.every((place, index) => place === index);
    if (reading?.stage !== "index" || !isEach) return;
    const [column] = reading.columns as readonly [FittedColumn];
    const encoder = { kind: "one_hot", categories: categories!, ignoreUnknown: false } as const;
    return { columns: [{ ...column, encoder }], dataType: "BOOL", stage: "places" };
  },
  Where({ inputs: [known, x, filled] }, readings) {
    const reading = readings.get(x!);
    const isKnown = known?.producer?.operator === "Equal" && known.producer.inputs.every((input) => input === x);
    const fills = numbersOf(filled!);
    if (reading?.stage !== "numbers" || !isKnown || fills === undefined) return;
    return eachAffine(reading, fills, (column, values) => {
      const [fill] = values as readonly [number];
      return { ...column, fill: Number.isNaN(fill) ? undefined : fill };
    });
  },
  Sub({ inputs: [x, offset] }, readings) {
    return moved(readings.get(x!), numbersOf(offset!), (encoder, values) => ({ ...encoder, offset: values }));
  },
  Div({ inputs: [x, scale] }, readings) {
    return moved(readings.get(x!), numbersOf(scale!), (encoder, values) => ({ ...encoder, scale: values }));
  },
  LabelEncoder({ inputs: [x], attributes }, readings) {
    const reading = readings.get(x!);
    const { keys_strings: texts, keys_floats: numbers, values_int64s: indices, default_int64: other } = attributes;
    const keys = (texts ?? numbers)?.value as Categories | undefined;
    const [column, ...others] = reading?.columns ?? [];
    if (column === undefined || others.length > 0 || column.width !== 1 || keys === undefined) return;
    if (reading!.stage !== (texts === undefined ? "numbers" : "texts") || !isPlainAffine(column)) return;
    const count = Number(other?.value);
    const isEach = keys.every((_, index) => index >= count || (indices?.value as readonly number[])?.[index] === index);
    // Behind the categories may be the empty text, which is a missing one.
    if (!isEach || keys.length < count || keys.slice(count).some((key) => key !== "")) return;
    const categories = keys.slice(0, count) as unknown as Categories;
    const fill = keys.length > count ? categories[(indices!.value as readonly number[])[count]!] : column.fill;
    return {
      columns: [{ ...column, fill, encoder: { kind: "index", categories } }],
      dataType: "INT64",
      stage: "index",
    };
  },
  Cast({ inputs: [x], attributes }, readings) {
    const reading = readings.get(x!);
    const dataType = dataTypeOf(intOf(attributes, "to", 0));
    const isEncoded = reading?.stage === "index" || reading?.stage === "places";
    return isEncoded && dataType !== undefined ? { ...reading, dataType, stage: "numbers" } : undefined;
  },
};

/** The elements of a constant of numbers. */
function numbersOf({ elements }: Value): readonly number[] | undefined {
  return elements && Array.from(elements as ArrayLike<number | bigint>, Number);
}

/** The columns with a constant by which all of them are moved at once, none of which has been moved so before. */
function moved(
  reading: Reading | undefined,
  values: readonly number[] | undefined,
  by: (encoder: Affine, values: Float32Array) => Affine,
): Reading | undefined {
  if (reading?.stage !== "numbers" || values === undefined) return;
  return eachAffine(reading, values, (column, own) => {
    return { ...column, encoder: by(column.encoder as Affine, Float32Array.from(own)) };
  });
}

/** Each column with its part of the elements of a constant; undefined where a column is scaled or encoded already. */
function eachAffine(
  reading: Reading,
  values: readonly number[],
  change: (column: FittedColumn, values: readonly number[]) => FittedColumn,
): Reading | undefined {
  const width = reading.columns.reduce((sum, column) => sum + column.width, 0);
  const isFitting = values.length === width || values.length === 1;
  if (!isFitting || !reading.columns.every(isUnscaled)) return;
  let at = 0;
  const columns = reading.columns.map((column) => {
    const own = Array.from({ length: column.width }, (_, index) => values[values.length === 1 ? 0 : at + index]!);
    at += column.width;
    return change(column, own);
  });
  return { ...reading, columns };
}

function isUnscaled({ encoder }: FittedColumn): boolean {
  return encoder.kind === "affine" && encoder.scale.every((scale) => scale === 1);
}

function isPlainAffine(column: FittedColumn): boolean {
  return isUnscaled(column) && (column.encoder as Affine).offset.every((offset) => offset === 0);
}
