import { createHash } from "node:crypto";
import { ServiceError } from "./errors.ts";

/** Most entries on one page, and how many where the caller does not say. */
const pageSizeMax = 1000;
const pageSizeDefault = 100;

/** Checks a page size: 1 to 1000, 0 means 100. Throws REQUEST_INVALID. */
export function pageSizeOf(pageSize: number): number {
  if (pageSize >= 0 && pageSize <= pageSizeMax) return pageSize || pageSizeDefault;
  throw new ServiceError("REQUEST_INVALID", `page_size is ${pageSize}; needed: 0 to ${pageSizeMax}`, {
    metadata: { field: "page_size" },
  });
}

/** A page token that says behind which entry the next page begins, of a list by these filters. */
export function pageTokenOf(lastKey: string, filters: object = {}): string {
  return Buffer.from(digestOf(filters) + lastKey).toString("base64url");
}

/**
 * The entry that a page token names, which has the form of the list's keys; undefined for the first page. Throws REQUEST_INVALID
 * for one of other filters, or none.
 */
export function pageKeyOf(pageToken: string, form: RegExp, filters: object = {}): string | undefined {
  if (pageToken === "") return undefined;
  const text = Buffer.from(pageToken, "base64url").toString();
  const key = text.slice(digestOf(filters).length);
  if (form.test(key) && pageTokenOf(key, filters) === pageToken) return key;
  const message = `page_token is ${JSON.stringify(pageToken.slice(0, 200))}; needed: one from a page of the same filters`;
  throw new ServiceError("REQUEST_INVALID", message, { metadata: { field: "page_token" } });
}

/** Equal for equal filters, in whatever order their pairs arrived. */
function digestOf(filters: object): string {
  const sorted = JSON.stringify(filters, (_, value) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort())
      : value,
  );
  return createHash("sha256").update(sorted).digest("base64url").slice(0, 8);
}
