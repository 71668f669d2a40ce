import { ServiceError } from "../../../../lib/errors.ts";

/** A file that cannot be learned from, and why; the metadata name the place for programs. */
export function datasetError(message: string, metadata: Readonly<Record<string, string>> = {}): ServiceError {
  return new ServiceError("DATASET_INVALID", `dataset: ${message}`, { metadata });
}

/** "1 column", "2 columns". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * A value that is no number, or none that FP32 holds. `place` is as in "line 7"; the column is called by `label`, its number or its name
 * in quotes.
 */
export function badValue(
  place: string,
  column: { readonly label: string | number; readonly name: string },
  value: string,
): ServiceError {
  const text = value.slice(0, 64);
  const seen = `${place}, column ${column.label} is ${JSON.stringify(text)}`;
  return datasetError(`${seen}; needed: a finite number, as FP32 holds it`, {
    place,
    column: column.name,
    value: text,
  });
}
