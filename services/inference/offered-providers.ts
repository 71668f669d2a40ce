import type { Log } from "../../lib/log.ts";
import type { ProbedProviders } from "./worker/provider-probe.ts";

/**
 * Warns of every execution provider that the node is set to offer and that does not work here. Throws where none does: a node that
 * offers nothing can hold nothing, and had better be started again than waited for.
 */
export function checkOffered({ executionProviders, missing }: ProbedProviders, log: Log): void {
  for (const [executionProvider, why] of Object.entries(missing)) {
    log.warn({ executionProvider, why }, "an execution provider that the node is set to offer does not work here");
  }
  if (executionProviders.length > 0) return;
  const reasons = Object.entries(missing).map((entry) => entry.join(": "));
  throw new Error(`none of the execution providers works that the node is set to offer: ${reasons.join("; ")}`);
}
