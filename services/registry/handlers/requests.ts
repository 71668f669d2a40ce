import { ServiceError } from "../../../lib/errors.ts";
import { pageKeyOf } from "../../../lib/paging.ts";

/** Refuses a request; names the field, the value seen and the value needed. */
export function invalid(field: string, seen: unknown, needed: string): ServiceError {
  const message = `${field} is ${typeof seen === "number" ? numberText(seen) : seen}; needed: ${needed}`;
  return new ServiceError("REQUEST_INVALID", message, { metadata: { field } });
}

/** Whole numbers beyond 2^53 arrive rounded: what was sent is not known. */
export function numberText(seen: number): string {
  if (!Number.isInteger(seen) || Number.isSafeInteger(seen)) return String(seen);
  return seen > 0 ? `above ${Number.MAX_SAFE_INTEGER}` : `below ${Number.MIN_SAFE_INTEGER}`;
}

/** Throws REQUEST_INVALID for a list that is too long. */
export function atMost<Value>(field: string, list: readonly Value[], countMax: number): readonly Value[] {
  if (list.length <= countMax) return list;
  throw invalid(field, `${list.length} entries`, `at most ${countMax} entries`);
}

/** Throws REQUEST_INVALID for a text that is too long, or that holds NUL, which the database would cut off. */
export function checkText(field: string, text: string, charactersMax: number): void {
  if (text.length > charactersMax) {
    throw invalid(field, `${text.length} characters long`, `at most ${charactersMax} characters`);
  }
  if (text.includes("\0")) throw invalid(field, "a text with the character NUL", "a text without");
}

/** Throws REQUEST_INVALID for why something is done, as the history is to have it, if that is too long. */
export function checkReason(reason: string): void {
  checkText("reason", reason, 1024);
}

/** Throws REQUEST_INVALID for what numbers no revision, and is not 0 for the one before. */
export function checkRevision(revision: number): void {
  if (!(Number.isSafeInteger(revision) && revision >= 0)) {
    const needed = `the number of a revision, at most ${Number.MAX_SAFE_INTEGER}, or 0 for the one before`;
    throw invalid("revision", revision, needed);
  }
}

/** Throws REQUEST_INVALID for what numbers no version, and for what numbers one twice. */
export function checkVersionNumbers(field: string, versions: readonly number[], suffix = ""): void {
  for (const [index, version] of versions.entries()) {
    const path = `${field}[${index}]${suffix}`;
    if (!(Number.isSafeInteger(version) && version >= 1)) {
      throw invalid(path, version, `a version number, 1 to ${Number.MAX_SAFE_INTEGER}`);
    }
    if (versions.indexOf(version) < index) throw invalid(path, `${version} once more`, "each version once");
  }
}

/** The number from 1 behind which a page of a list by numbers begins; undefined for the first page. Throws REQUEST_INVALID. */
export function pageNumberOf(pageToken: string, filters: object): number | undefined {
  const key = pageKeyOf(pageToken, /^[1-9]\d{0,15}$/, filters);
  return key === undefined ? undefined : Number(key);
}

/** Throws REQUEST_INVALID for more dimensions than any operator takes, and for one below `min`. */
export function checkShape(field: string, shape: readonly number[], min: number): void {
  for (const [axis, size] of atMost(field, shape, 64).entries()) whole(`${field}[${axis}]`, size, min, 2 ** 31 - 1);
}

/** Throws REQUEST_INVALID where a number is not whole, or not from `min` to `max`. */
export function whole(field: string, seen: number, min: number, max: number): void {
  if (!(Number.isSafeInteger(seen) && seen >= min && seen <= max)) throw invalid(field, seen, `${min} to ${max}`);
}

/**
 * The word of a value of an enum, without its prefix. REQUEST_INVALID for a number, which is a value that the contract does not
 * have.
 */
export function wordOf<Value extends string, Prefix extends string>(
  field: string,
  value: Value | number,
  prefix: Prefix,
): Value extends `${Prefix}${infer Word}` ? Word : never {
  if (typeof value === "number") throw invalid(field, value, "a value of the contract");
  return value.slice(prefix.length) as never;
}

/**
 * The words of a filter, each once and in a fixed order, so that the same filter has the same page tokens. REQUEST_INVALID for
 * too many, and for one that is not among those that there are.
 */
export function filterWordsOf<Word extends string>(
  field: string,
  values: readonly (string | number)[],
  prefix: string,
  words: readonly Word[],
): readonly Word[] {
  const asked = new Set(atMost(field, values, filterWordsMax).map((value) => String(value)));
  for (const value of asked) {
    const isKnown = words.some((word) => value === `${prefix}${word}`);
    if (!isKnown) throw invalid(field, value, `some of ${words.map((word) => `${prefix}${word}`).join(", ")}`);
  }
  return words.filter((word) => asked.has(`${prefix}${word}`));
}

/** More than there are in any filter, so that some may come twice. */
const filterWordsMax = 64;

/** Throws REQUEST_INVALID for too many pairs, for a key or value that is too long, and for more than `bytesMax` of all. */
export function checkPairs(field: string, pairs: Readonly<Record<string, string>>, bounds: PairBounds): void {
  const entries = Object.entries(pairs);
  if (entries.length > bounds.countMax)
    throw invalid(field, `${entries.length} pairs`, `at most ${bounds.countMax} pairs`);
  for (const [key, value] of entries) {
    if (key === "") throw invalid(field, "a pair without a key", "a key for every pair");
    checkText(`a key of ${field}`, key, bounds.keyCharactersMax);
    checkText(`${field}[${JSON.stringify(key)}]`, value, bounds.valueCharactersMax);
  }
  checkBytes(field, entries.flat(), bounds.bytesMax ?? Infinity);
}

/** Throws REQUEST_INVALID for texts that are too long together. */
export function checkBytes(field: string, texts: readonly string[], bytesMax: number): void {
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > bytesMax) throw invalid(field, `${bytes} bytes of UTF-8 in total`, `at most ${bytesMax} bytes`);
}

interface PairBounds {
  readonly countMax: number;
  readonly keyCharactersMax: number;
  readonly valueCharactersMax: number;
  /** In UTF-8, of all keys and values together. */
  readonly bytesMax?: number;
}
