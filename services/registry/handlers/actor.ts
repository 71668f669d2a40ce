import { type CallContext, principalKey } from "../../../lib/rpc/call-context.ts";
import { claimedPrincipal } from "../../../lib/rpc/principal.ts";
import { type Actor, registryPrincipal } from "../store/transaction.ts";
import { invalid } from "./requests.ts";

/** Who changes the catalogue by a call of this name; REQUEST_INVALID where the principal is none that a caller may have. */
export function actorOf({ headers, requestId }: CallContext, call: string): Actor {
  const principal = claimedPrincipal(headers[principalKey]);
  if (principal === registryPrincipal)
    throw invalid(principalKey, principal, "another name: this one is the registry's");
  return { principal, call, requestId };
}
