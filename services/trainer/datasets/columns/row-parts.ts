import { Random } from "../../../../lib/random.ts";
import { validationRowCount } from "../../../../lib/split.ts";
import { specError } from "../../graph/spec-error.ts";
import { datasetError } from "../formats/dataset-error.ts";
import type { ColumnSource } from "./column-source.ts";
import { type DataPlan, distinctMax } from "./data-plan.ts";
import { isMissing } from "./missing.ts";
import type { UsedColumn } from "./used-column.ts";
import type { UsedColumns } from "./used-columns.ts";

/** What a row is for, as an element of {@link RowParts}. */
export const part = { training: 0, validation: 1, leftOut: 2 } as const;

/** Of each row of the file, what it is for. */
export interface RowParts {
  readonly of: Uint8Array;
  readonly trainingCount: number;
  readonly validationCount: number;
}

/**
 * Decides which rows are learned from, held out and left out. Rows of a random split are those of `splitRows`, among the rows that are not
 * left out for a missing value. Throws SPEC_INVALID where a part would be empty, and DATASET_INVALID for rows of which it can't be told.
 */
export async function rowParts(source: ColumnSource, used: UsedColumns, plan: DataPlan): Promise<RowParts> {
  const { of, keys } = await surveyed(source, used, plan);
  const kept = new KeptRows(of);
  const wanted = validationRowCount(kept.length, plan.validationShare);
  assign[plan.split.kind](of, { kept, keys, wanted, plan });
  let [trainingCount, validationCount] = [0, 0];
  for (let row = 0; row < of.length; row++) {
    if (of[row] === part.training) trainingCount++;
    else if (of[row] === part.validation) validationCount++;
  }
  checkSizes(plan, kept.length, trainingCount, validationCount);
  return { of, trainingCount, validationCount };
}

interface Survey {
  readonly of: Uint8Array;
  /** Of each row, what the split goes by: a time, or the number of a class or group, and of a given part itself. */
  readonly keys: Float64Array | Int32Array | undefined;
}

interface Assignment {
  readonly kept: KeptRows;
  readonly keys: Survey["keys"];
  /** Rows to hold out. */
  readonly wanted: number;
  readonly plan: DataPlan;
}

/** Reads what it must: columns whose missing values leave rows out, and the column that the split goes by. */
async function surveyed(source: ColumnSource, used: UsedColumns, plan: DataPlan): Promise<Survey> {
  const { rowCount } = source;
  const of = new Uint8Array(rowCount);
  const dropping = [...used.features, ...used.targets].filter(({ missing }) => missing?.kind === "drop_row");
  const splitBy = splitColumn(used, plan);
  const columns = [...dropping, ...(splitBy === undefined ? [] : [splitBy])];
  if (columns.length === 0) return { of, keys: undefined };
  const keys = plan.split.kind === "time" ? new Float64Array(rowCount) : new Int32Array(rowCount);
  const codes = new Codes();
  let first = 0;
  for await (const { rowCount: count, values } of source.read(columns.map(({ name }) => name))) {
    for (const [index, { width }] of dropping.entries()) {
      for (let row = 0; row < count; row++) if (isMissing(values[index]!, row, width)) of[first + row] = part.leftOut;
    }
    if (splitBy !== undefined) {
      const by = values[dropping.length]!;
      for (let row = 0; row < count; row++) {
        if (of[first + row] === part.leftOut) continue;
        if (isMissing(by, row, 1)) throw await nothingToSplitBy(source, first + row, splitBy.name);
        keys[first + row] = plan.split.kind === "time" ? Number(by[row]) : codes.of(by[row]!, splitBy.name);
      }
    }
    first += count;
  }
  return { of, keys: plan.split.kind === "given" ? givenParts(keys, codes, plan.split) : keys };
}

function splitColumn({ splitBy, targets }: UsedColumns, { split }: DataPlan): Pick<UsedColumn, "name"> | undefined {
  if (split.kind !== "stratified") {
    if (split.kind === "time" && splitBy?.kind === "text") {
      throw specError("data.split.time.column", JSON.stringify(splitBy.name), "a column of numbers, dates or times");
    }
    return splitBy;
  }
  if (targets.length === 1 && targets[0]!.width === 1) return targets[0];
  throw specError("data.split", `stratified, with ${targets.length} target columns`, "one target column, the class");
}

async function nothingToSplitBy(source: ColumnSource, row: number, name: string): Promise<Error> {
  const needed = "a value, which decides whether the row is held out";
  return datasetError(`${await source.placeOf(row)}, column ${JSON.stringify(name)} is missing; needed: ${needed}`);
}

/** Numbers of different values, in the order in which they come. */
class Codes {
  readonly #codes = new Map<number | string, number>();

  of(value: number | string, name: string): number {
    const code = this.#codes.get(value) ?? this.#codes.size;
    if (code === this.#codes.size) {
      if (code === distinctMax) {
        throw datasetError(
          `the column ${JSON.stringify(name)} has more than ${distinctMax} different values to split by`,
        );
      }
      this.#codes.set(value, code);
    }
    return code;
  }

  get values(): readonly (number | string)[] {
    return [...this.#codes.keys()];
  }
}

type GivenSplit = Extract<DataPlan["split"], { kind: "given" }>;

function givenParts(keys: Float64Array | Int32Array, codes: Codes, split: GivenSplit): Int32Array {
  const { validation, training, column } = split;
  const values = codes.values.map(String);
  for (const [field, value] of Object.entries({ training, validation })) {
    if (values.includes(value)) continue;
    const seen = `${values
      .slice(0, 5)
      .map((each) => JSON.stringify(each))
      .join(", ")}${values.length > 5 ? ", …" : ""}`;
    throw specError(
      `data.split.given.${field}`,
      JSON.stringify(value),
      `a value of ${JSON.stringify(column)}, such as ${seen}`,
    );
  }
  const parts = values.map((value) =>
    value === validation ? part.validation : value === training ? part.training : part.leftOut,
  );
  return Int32Array.from(keys, (code) => parts[code]!);
}

/** The rows that are not left out. */
class KeptRows {
  readonly length: number;
  readonly #of: Uint8Array;

  constructor(of: Uint8Array) {
    this.#of = of;
    let length = 0;
    for (let row = 0; row < of.length; row++) if (of[row] !== part.leftOut) length++;
    this.length = length;
  }

  /** Their numbers, ascending; a list that is made anew at each call. */
  get rows(): Int32Array {
    const rows = new Int32Array(this.length);
    let index = 0;
    for (let row = 0; row < this.#of.length; row++) if (this.#of[row] !== part.leftOut) rows[index++] = row;
    return rows;
  }
}

const assign = {
  random(of, { kept, wanted, plan }) {
    if (wanted === 0) return;
    const order = new Random(plan.seed, "split").permutation(kept.length);
    // Where no row is left out the list of those that are kept is not made: there may be very many.
    const rows = kept.length === of.length ? undefined : kept.rows;
    for (let index = 0; index < wanted; index++) {
      const place = order[index]!;
      of[rows === undefined ? place : rows[place]!] = part.validation;
    }
  },
  stratified(of, { kept, keys, plan }) {
    const { rows } = kept;
    const sizes = sizesByKey(rows, keys!);
    const left = sizes.map((size) => validationRowCount(size, plan.validationShare));
    for (const index of new Random(plan.seed, "split").permutation(kept.length)) {
      const row = rows[index]!;
      if (left[keys![row]!]! === 0) continue;
      left[keys![row]!]!--;
      of[row] = part.validation;
    }
  },
  /** Whole groups in random order: the first one, and each that brings the count nearer to what is wanted. */
  group(of, { kept, keys, wanted, plan }) {
    if (wanted === 0) return;
    const { rows } = kept;
    const sizes = sizesByKey(rows, keys!);
    const isHeld = new Uint8Array(sizes.length);
    let held = 0;
    for (const group of new Random(plan.seed, "split").permutation(sizes.length)) {
      if (held > 0 && held + sizes[group]! / 2 > wanted) continue;
      isHeld[group] = 1;
      held += sizes[group]!;
    }
    for (const row of rows) if (isHeld[keys![row]!]) of[row] = part.validation;
  },
  /** Of equal times the later rows of the file come last. */
  time(of, { kept, keys, wanted }) {
    const byTime = kept.rows.sort((a, b) => keys![a]! - keys![b]! || a - b);
    for (const row of byTime.subarray(kept.length - wanted)) of[row] = part.validation;
  },
  given(of, { kept, keys }) {
    for (const row of kept.rows) of[row] = keys![row]!;
  },
} as const satisfies Record<DataPlan["split"]["kind"], (of: Uint8Array, assignment: Assignment) => void>;

function sizesByKey(rows: Int32Array, keys: Float64Array | Int32Array): number[] {
  const sizes: number[] = [];
  for (const row of rows) sizes[keys[row]!] = (sizes[keys[row]!] ?? 0) + 1;
  return sizes;
}

function checkSizes({ split, validationShare }: DataPlan, kept: number, training: number, validation: number): void {
  if (kept === 0) throw datasetError("every row is left out, for a missing value; needed: at least 1 that is not");
  const rows = `${kept} ${kept === 1 ? "row" : "rows"}`;
  if (training === 0)
    throw specError("validation_share", validationShare, `a share that leaves some of ${rows} to train on`);
  if (validation > 0 || (validationShare === 0 && split.kind !== "given")) return;
  throw specError("validation_share", validationShare, `0, or a share that holds out some of ${rows}`);
}
