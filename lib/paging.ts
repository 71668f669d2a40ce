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

/** A page token that says behind which entry the next page begins. */
export function pageTokenOf(lastKey: string): string {
  return Buffer.from(`1${lastKey}`).toString("base64url");
}

/** The entry that a page token names; undefined for the first page. Throws REQUEST_INVALID for anything not ours. */
export function pageKeyOf(pageToken: string): string | undefined {
  if (pageToken === "") return undefined;
  const text = Buffer.from(pageToken, "base64url").toString();
  if (text.startsWith("1") && pageTokenOf(text.slice(1)) === pageToken) return text.slice(1);
  throw new ServiceError(
    "REQUEST_INVALID",
    `page_token is ${JSON.stringify(pageToken)}; needed: one from a previous page`,
    {
      metadata: { field: "page_token" },
    },
  );
}
