import { ServiceError } from "../../../lib/errors.ts";

/** A job's specification that cannot be trained: which field, what it holds, what would do. */
export function specError(field: string, seen: unknown, needed: string): ServiceError {
  return new ServiceError("SPEC_INVALID", `${field} is ${seen}; needed: ${needed}`, { metadata: { field } });
}
