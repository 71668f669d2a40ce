import { specError } from "../graph/spec-error.ts";

/** The highest priority of a job; the lowest is 0. */
export const priorityMax = 1000;

/** The priority that a field holds; SPEC_INVALID where there is none such. */
export function priorityOf(seen: number, field: string): number {
  if (seen < 0 || seen > priorityMax) throw specError(field, seen, `0 to ${priorityMax}`);
  return seen;
}
