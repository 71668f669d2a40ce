import type { ServiceError } from "../../../../lib/errors.ts";
import { datasetError } from "./dataset-error.ts";

const pattern = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?Z?)?$/;

/** Whether a text is a date or a time of ISO 8601 in UTC. DuckDB takes other zones, too, and does not count them. */
export function isIsoTime(text: string): boolean {
  const [, year, month, day] = pattern.exec(text) ?? [];
  if (year === undefined) return false;
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day) && Number(year) > 0;
}

/** A value that is no time where times are needed; the column is called by `label` as in `badValue`. */
export function badTime(
  place: string,
  column: { readonly label: string | number; readonly name: string },
  value: string,
): ServiceError {
  const text = value.slice(0, 64);
  const seen = `${place}, column ${column.label} is ${JSON.stringify(text)}`;
  const needed = "a date or a time in UTC, such as 2026-11-30 or 2026-11-30T12:00:00Z";
  return datasetError(`${seen}; needed: ${needed}`, { place, column: column.name, value: text });
}
