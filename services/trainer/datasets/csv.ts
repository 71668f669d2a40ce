import { Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { ServiceError } from "../../../lib/errors.ts";
import type { TrainingData } from "../engine/training-plan.ts";
import { Table } from "./table.ts";

/** How the columns of a file are used. */
export interface CsvForm {
  /** Whether the first line names the columns. */
  readonly header: boolean;
  /** Whether the columns before the targets are tokens. */
  readonly tokens: boolean;
  /** How many of the last columns are targets; may be 0. */
  readonly targetCount: number;
  /** Whether targets are class indices. */
  readonly classes: boolean;
  /** The class of those that do not count, which may be below 0. */
  readonly ignoredClass?: number | undefined;
}

/**
 * Reads comma-separated numbers, one row per line; a byte order mark, quotes, surrounding blanks and empty lines are
 * accepted. Throws DATASET_INVALID that names line and column for a wrong column count, a cell that is not a finite
 * number, or a token or class that is not a whole number, and for a file without rows. Holds only the numbers, not the text.
 */
export async function readCsv(bytes: AsyncIterable<Uint8Array>, form: CsvForm): Promise<TrainingData> {
  const parser = parse({
    bom: true,
    trim: true,
    skip_empty_lines: true,
    relax_column_count: true,
    info: true,
    max_record_size: lineCharactersMax,
  });
  const source = Readable.from(bytes, { objectMode: false });
  source.on("error", (failure) => parser.destroy(failure));
  let table: Table | undefined;
  let columnCount: number | undefined;
  let firstLine = 1;
  try {
    for await (const { record, info } of source.pipe(parser) as AsyncIterable<Parsed>) {
      if (columnCount === undefined) {
        columnCount = record.length;
        firstLine = info.lines;
        checkWidth(columnCount, form);
        table = new Table(
          { width: columnCount - form.targetCount, dataType: form.tokens ? "INT32" : "FP32" },
          { width: form.targetCount, dataType: form.classes ? "INT32" : "FP32" },
        );
        if (form.header) continue;
      }
      if (record.length !== columnCount) throw raggedLine(info.lines, record.length, columnCount, firstLine);
      table!.add(numbersOf(record, info.lines, form));
    }
  } catch (failure) {
    throw failure instanceof CsvError ? invalid(`the file is not CSV: ${failure.message}`) : failure;
  } finally {
    source.destroy();
  }
  if (table === undefined || table.rowCount === 0) throw invalid("the file has no rows; needed: at least 1");
  return table.finished();
}

/** Longest line; an unclosed quote would otherwise draw the whole file into memory. */
const lineCharactersMax = 16 * 1024 ** 2;

interface Parsed {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

function checkWidth(columnCount: number, { targetCount }: CsvForm): void {
  if (columnCount > targetCount) return;
  throw invalid(
    `the file has ${counted(columnCount, "column")}; needed: at least ${targetCount + 1}, one feature and ${counted(targetCount, "target")}`,
  );
}

function numbersOf(cells: readonly string[], line: number, form: CsvForm): number[] {
  const firstTarget = cells.length - form.targetCount;
  return cells.map((cell, index) => {
    const value = decimal.test(cell) ? Number(cell) : Number.NaN;
    const place = `line ${line}, column ${index + 1} is ${JSON.stringify(cell.slice(0, 64))}`;
    if (!Number.isFinite(Math.fround(value))) throw invalid(`${place}; needed: a finite number, as FP32 holds it`);
    const isTarget = index >= firstTarget;
    if (isTarget ? !form.classes || value === form.ignoredClass : !form.tokens) return value;
    if (!isIndex(value)) throw invalid(`${place}; needed: a ${isTarget ? "class" : "token"}, a whole number from 0`);
    return value;
  });
}

function isIndex(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 31;
}

/** A decimal number; Number() alone would also take hexadecimal ones. */
const decimal = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;

function raggedLine(line: number, seen: number, needed: number, firstLine: number): ServiceError {
  return invalid(`line ${line} has ${counted(seen, "column")}; needed: ${needed}, as in line ${firstLine}`);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function invalid(message: string): ServiceError {
  return new ServiceError("DATASET_INVALID", `dataset: ${message}`);
}
