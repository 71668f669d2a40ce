import { ServiceError } from "../../../lib/errors.ts";
import { refused } from "./json-fields.ts";

/**
 * Checks that JSON of a message, with the names of its contract, says nothing that is not so. Fields that it leaves out may be anything,
 * empty ones are as good as none. Throws REQUEST_INVALID with the path, the value seen and the value needed.
 */
export function checkAgreement(said: unknown, actual: unknown, path: string, depth = 0): void {
  if (said === undefined || said === null) return;
  if (depth > depthMax) throw refused(path, said, shownAs(actual));
  if (Array.isArray(said)) {
    const list = Array.isArray(actual) ? actual : [];
    if (said.length !== list.length) throw refused(path, said, shownAs(actual));
    for (const [index, entry] of said.entries()) checkAgreement(entry, list[index], `${path}[${index}]`, depth + 1);
  } else if (typeof said === "object") {
    for (const [name, value] of Object.entries(said)) {
      checkAgreement(value, fieldOf(actual, name), `${path}.${name}`, depth + 1);
    }
  } else if (
    !(isEmptyScalar(said) && isEmpty(actual)) &&
    (typeof actual === "object" || String(said) !== String(actual))
  ) {
    throw refused(path, said, shownAs(actual));
  }
}

/** No message of ours has more messages in each other. */
const depthMax = 10;

/** Whether JSON of a message says the same as another one: what it leaves out is empty in both. */
export function saysTheSame(said: unknown, actual: unknown): boolean {
  try {
    checkAgreement(said, actual, "");
  } catch (fault) {
    if (fault instanceof ServiceError) return false;
    throw fault;
  }
  return leavesOutNothing(said, actual);
}

function leavesOutNothing(said: unknown, actual: unknown): boolean {
  if (said === undefined || said === null) return isEmpty(actual);
  if (typeof said !== "object" || typeof actual !== "object" || actual === null) return true;
  if (Array.isArray(said)) return said.every((entry, index) => leavesOutNothing(entry, (actual as unknown[])[index]));
  return Object.entries(actual).every(([name, value]) => leavesOutNothing(saidOf(said, name), value));
}

/** A field, which JSON names as the contract does; the keys of maps are the same in both. */
function fieldOf(actual: unknown, name: string): unknown {
  return ownOf(actual, name) ?? ownOf(actual, camelCase(name));
}

function saidOf(said: object, name: string): unknown {
  return ownOf(said, name) ?? ownOf(said, snakeCase(name));
}

function ownOf(message: unknown, name: string): unknown {
  const isThere = typeof message === "object" && message !== null && Object.hasOwn(message, name);
  return isThere ? (message as Readonly<Record<string, unknown>>)[name] : undefined;
}

/** "max_batch_size" as "maxBatchSize". */
export function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** What is not written into a message, or nothing but such. */
function isEmpty(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.values(value).every(isEmpty);
  return value === undefined || value === null || isEmptyScalar(value);
}

function isEmptyScalar(value: unknown): boolean {
  return emptyValues.has(String(value));
}

/** The first values of enums among them. */
const emptyValues: ReadonlySet<string> = new Set([
  "",
  "0",
  "false",
  "REJECT",
  "KIND_AUTO",
  "FORMAT_NONE",
  "TYPE_INVALID",
]);

function shownAs(actual: unknown): string {
  return isEmpty(actual) ? "nothing" : JSON.stringify(actual);
}
