import { ServiceError } from "../../../../lib/errors.ts";

/** A file that cannot be learned from, and why; the metadata name the place for programs. */
export function datasetError(message: string, metadata: Readonly<Record<string, string>> = {}): ServiceError {
  return new ServiceError("DATASET_INVALID", `dataset: ${message}`, { metadata });
}

/** "1 column", "2 columns". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A value that has no number, or none that FP32 holds. `place` is as in "line 7"; the column is the `index`-th from 0. */
export function badValue(place: string, name: string, index: number, value: string): ServiceError {
  const seen = JSON.stringify(value.slice(0, 64));
  return datasetError(`${place}, column ${index + 1} is ${seen}; needed: a finite number, as FP32 holds it`, {
    place,
    column: name,
    value: value.slice(0, 64),
  });
}
