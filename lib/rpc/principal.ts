import { ServiceError } from "../errors.ts";
import { principalKey } from "./call-context.ts";

/**
 * Who makes a call, by the value of its metadata, as it is claimed: "anonymous" where there is none. Throws REQUEST_INVALID for one that
 * is no printable ASCII, and for one that is too long.
 */
export function claimedPrincipal(value: unknown): string {
  const principal = String(value ?? "") || "anonymous";
  if (!/^[ -~]*$/.test(principal))
    throw invalid("a text with other characters", `printable ASCII, at most ${charactersMax} characters`);
  if (principal.length > charactersMax) {
    throw invalid(`${principal.length} characters long`, `at most ${charactersMax} characters`);
  }
  return principal;
}

const charactersMax = 256;

function invalid(seen: string, needed: string): ServiceError {
  return new ServiceError("REQUEST_INVALID", `${principalKey} is ${seen}; needed: ${needed}`, {
    metadata: { field: principalKey },
  });
}
