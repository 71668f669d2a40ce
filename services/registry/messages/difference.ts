import type { Difference as DifferenceMessage } from "../../../lib/gen/amaas/registry/v1/Difference.ts";
import type { Difference } from "../compatibility/difference.ts";

/** A difference from an old version, or from what the fleet has where that is empty, as the contract has it. */
export function differenceMessage(against: string, { kind, ...difference }: Difference): DifferenceMessage {
  const { path, oldValue, newValue, breaksBackward, breaksForward, message } = difference;
  return { against, kind: `KIND_${kind}`, path, oldValue, newValue, breaksBackward, breaksForward, message };
}
