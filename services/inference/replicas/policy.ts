import { type AspiredVersion, contradict, isSameNumber, isSameVersion } from "./aspired-version.ts";
import type { ReplicaState } from "./replica.ts";

/** A replica as the policy sees it. */
export interface HeldVersion {
  readonly aspired: AspiredVersion;
  readonly state: ReplicaState;
}

/** All that the policy decides from. */
export interface PolicySnapshot<Held extends HeldVersion> {
  readonly nowMs: number;
  /** In the order in which they should be loaded. */
  readonly aspired: readonly AspiredVersion[];
  readonly held: readonly Held[];
  /** Versions that may load at the same time. */
  readonly loadsMax: number;
}

/** One step towards the aspired versions. */
export type PolicyAction<Held> =
  | { readonly kind: "load"; readonly aspired: AspiredVersion }
  | { readonly kind: "retry"; readonly replica: Held }
  | { readonly kind: "unload"; readonly replica: Held };

/**
 * What to do next, if anything: first unload what is no longer wanted, then load what is missing, then try again what
 * failed. A ready version that is no longer aspired stays while an aspired version of its model is not ready, so that a
 * model is never without a version because of an exchange; one that is aspired in another variant, or with other settings,
 * stays until it is ready as that.
 */
export function nextAction<Held extends HeldVersion>(snapshot: PolicySnapshot<Held>): PolicyAction<Held> | undefined {
  const { aspired, held, loadsMax, nowMs } = snapshot;
  const surplus = held.find((replica) => isSurplus(replica, snapshot));
  if (surplus !== undefined) return { kind: "unload", replica: surplus };
  if (held.filter(({ state }) => state.kind === "loading").length >= loadsMax) return undefined;
  const missing = aspired.find((version) => !held.some((replica) => isInPlace(replica.aspired, version)));
  if (missing !== undefined) return { kind: "load", aspired: missing };
  const failed = held.find(({ state }) => state.kind === "failed" && state.retryAtMs <= nowMs);
  return failed && { kind: "retry", replica: failed };
}

/** When the policy should be asked again though nothing has changed, in milliseconds since 1970; Infinity if never. */
export function nextRetryMs(held: readonly HeldVersion[]): number {
  return Math.min(...held.map(({ state }) => (state.kind === "failed" ? state.retryAtMs : Infinity)));
}

function isSurplus({ aspired: own, state }: HeldVersion, { aspired, held }: PolicySnapshot<HeldVersion>): boolean {
  if (state.kind === "unloading") return false;
  if (aspired.some((version) => isSameVersion(version, own))) return false;
  if (state.kind !== "ready" || aspired.some((version) => contradict(version, own))) return true;
  const isReady = (version: AspiredVersion) =>
    held.some((other) => isSameVersion(other.aspired, version) && other.state.kind === "ready");
  const again = aspired.find((version) => isSameNumber(version, own));
  if (again !== undefined) return isReady(again);
  return aspired.filter(({ model }) => model === own.model).every(isReady);
}

/** Whether a held version is the wanted one, or has to be gone before that is loaded. */
function isInPlace(held: AspiredVersion, wanted: AspiredVersion): boolean {
  return isSameVersion(held, wanted) || contradict(held, wanted);
}
