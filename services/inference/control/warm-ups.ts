import type { WarmUp__Output as WarmUpMessage } from "../../../lib/gen/amaas/registry/v1/WarmUp.ts";
import type { WarmUp } from "../warm-up/warm-up-inputs.ts";

/** What runs before a replica is ready, where the registry says what. */
export function warmUpOf({ kind, rows, count, inputs }: WarmUpMessage): WarmUp {
  return {
    kind: kind === "KIND_RANDOM" ? "random" : "zeros",
    rowCount: rows || 1,
    runCount: count || 1,
    inputs: inputs.map(({ name, shape, raw }) => ({ name, shape, bytes: raw })),
  };
}
