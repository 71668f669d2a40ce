import type { CallContext } from "../../../lib/rpc/call-context.ts";
import type { Actor } from "../store/transaction.ts";
import { checkText, invalid } from "./requests.ts";

/** The metadata key of who makes a call, as callers claim it. */
const principalKey = "amaas-principal";

/** Of the registry itself. */
export const registryPrincipal = "registry";

/** Who changes the catalogue by a call of this name; REQUEST_INVALID where the principal is none that a caller may have. */
export function actorOf({ metadata, requestId }: CallContext, call: string): Actor {
  const principal = String(metadata.get(principalKey)[0] ?? "") || "anonymous";
  checkText(principalKey, principal, 256);
  if (principal === registryPrincipal)
    throw invalid(principalKey, principal, "another name: this one is the registry's");
  return { principal, call, requestId };
}

/** What the registry does by itself, under a name such as "ValidateVersion". */
export function ownActor(call: string): Actor {
  return { principal: registryPrincipal, call, requestId: "" };
}
