import { ServiceError } from "../../../lib/errors.ts";
import { pageKeyOf } from "../../../lib/paging.ts";
import { versionNumber } from "../../../lib/resource-names.ts";

/** Refuses a request; names the field, the value seen and the value needed. */
export function invalid(field: string, seen: unknown, needed: string): ServiceError {
  return new ServiceError("REQUEST_INVALID", `${field} is ${seen}; needed: ${needed}`, { metadata: { field } });
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
    throw invalid("revision", revision, "the number of a revision, or 0 for the one before");
  }
}

/** Throws REQUEST_INVALID for what numbers no version, and for what numbers one twice. */
export function checkVersionNumbers(field: string, versions: readonly number[], suffix = ""): void {
  for (const [index, version] of versions.entries()) {
    const path = `${field}[${index}]${suffix}`;
    if (!(Number.isSafeInteger(version) && version >= 1)) throw invalid(path, version, "a version number from 1");
    if (versions.indexOf(version) < index) throw invalid(path, `${version} once more`, "each version once");
  }
}

/** The number from 1 behind which a page of a list by numbers begins; undefined for the first page. Throws REQUEST_INVALID. */
export function pageNumberOf(pageToken: string, filters: object): number | undefined {
  const key = pageKeyOf(pageToken, filters);
  const number = versionNumber(key ?? "");
  if (key !== undefined && number === undefined) throw invalid("page_token", pageToken, "one from a page of this list");
  return number;
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

/** Throws REQUEST_INVALID for too many pairs, and for a key or value that is too long. */
export function checkPairs(field: string, pairs: Readonly<Record<string, string>>, bounds: PairBounds): void {
  const entries = Object.entries(pairs);
  if (entries.length > bounds.countMax)
    throw invalid(field, `${entries.length} pairs`, `at most ${bounds.countMax} pairs`);
  for (const [key, value] of entries) {
    if (key === "") throw invalid(field, "a pair without a key", "a key for every pair");
    checkText(`a key of ${field}`, key, bounds.keyCharactersMax);
    checkText(`${field}[${JSON.stringify(key)}]`, value, bounds.valueCharactersMax);
  }
}

interface PairBounds {
  readonly countMax: number;
  readonly keyCharactersMax: number;
  readonly valueCharactersMax: number;
}
