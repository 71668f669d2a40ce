import { ServiceError } from "../../../lib/errors.ts";

/** Refuses a request; names the field, the value seen and the value needed. */
export function invalid(field: string, seen: unknown, needed: string): ServiceError {
  return new ServiceError("REQUEST_INVALID", `${field} is ${seen}; needed: ${needed}`, { metadata: { field } });
}

/** Throws REQUEST_INVALID for a text that is too long. */
export function checkLength(field: string, text: string, charactersMax: number): void {
  if (text.length <= charactersMax) return;
  throw invalid(field, `${text.length} characters long`, `at most ${charactersMax} characters`);
}

/** Throws REQUEST_INVALID for too many pairs, and for a key or value that is too long. */
export function checkPairs(field: string, pairs: Readonly<Record<string, string>>, bounds: PairBounds): void {
  const entries = Object.entries(pairs);
  if (entries.length > bounds.countMax)
    throw invalid(field, `${entries.length} pairs`, `at most ${bounds.countMax} pairs`);
  for (const [key, value] of entries) {
    if (key === "") throw invalid(field, "a pair without a key", "a key for every pair");
    checkLength(`a key of ${field}`, key, bounds.keyCharactersMax);
    checkLength(`${field}[${JSON.stringify(key)}]`, value, bounds.valueCharactersMax);
  }
}

interface PairBounds {
  readonly countMax: number;
  readonly keyCharactersMax: number;
  readonly valueCharactersMax: number;
}
