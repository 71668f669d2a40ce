import type { Compatibility } from "../store/schema.ts";
import type { Breakage } from "./difference.ts";

/** Whether a difference breaks a mode. */
export function breaksMode(mode: Compatibility, { breaksBackward, breaksForward }: Breakage): boolean {
  const { backward, forward } = rules[mode];
  return (backward && breaksBackward) || (forward && breaksForward);
}

/** Whether a mode compares with everything that an alias has ever pointed at. */
export function isTransitive(mode: Compatibility): boolean {
  return mode.endsWith("_TRANSITIVE");
}

/** Whose requests must go on working. */
interface Rule {
  readonly backward: boolean;
  readonly forward: boolean;
}

const backward: Rule = { backward: true, forward: false };
const forward: Rule = { backward: false, forward: true };
const full: Rule = { backward: true, forward: true };

const rules = {
  NONE: { backward: false, forward: false },
  BACKWARD: backward,
  BACKWARD_TRANSITIVE: backward,
  FORWARD: forward,
  FORWARD_TRANSITIVE: forward,
  FULL: full,
  FULL_TRANSITIVE: full,
} as const satisfies Record<Compatibility, Rule>;
