import { type CallContext, principalKey } from "../../../lib/rpc/call-context.ts";
import { unreadablePrincipalKey } from "../../../lib/rpc/unreadable-principal.ts";
import { type Actor, registryPrincipal } from "../store/transaction.ts";
import { checkText, invalid } from "./requests.ts";

/** Who changes the catalogue by a call of this name; REQUEST_INVALID where the principal is none that a caller may have. */
export function actorOf({ metadata, requestId }: CallContext, call: string): Actor {
  if (metadata.get(unreadablePrincipalKey).length > 0) {
    throw invalid(principalKey, "a text with other characters", "printable ASCII, at most 256 characters");
  }
  const principal = String(metadata.get(principalKey)[0] ?? "") || "anonymous";
  checkText(principalKey, principal, 256);
  if (principal === registryPrincipal)
    throw invalid(principalKey, principal, "another name: this one is the registry's");
  return { principal, call, requestId };
}
