import { type AspiredVersion, isSameVersion } from "./aspired-version.ts";
import { type HeldVersion, isLeftBehind, type PolicySnapshot } from "./policy-snapshot.ts";

/** What a version needs that is to be loaded. */
export type Room<Held> =
  | { readonly kind: "free" }
  /** It is free once these are unloaded, the first one first; empty where it is enough to wait. */
  | { readonly kind: "short"; readonly victims: readonly Held[] }
  /** It is not, whatever may go. */
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Whether a version has room within the memory budget of the node. What may go for it are versions that are loaded on demand, that
 * used least recently first, but none while requests wait for it or while it keeps sequences, which are waited for: all of them end,
 * or are idle for too long. What is no longer assigned may go too, and goes before them.
 */
export function roomFor<Held extends HeldVersion>(
  version: AspiredVersion,
  snapshot: Omit<PolicySnapshot<Held>, "nowMs" | "loadsMax">,
): Room<Held> {
  const { aspired, held, budgetBytes, isDemanded } = snapshot;
  // What is loaded may have come to be set otherwise without being loaded anew.
  const assigned = (own: AspiredVersion) => aspired.find((other) => isSameVersion(other, own));
  const memoryBytesOf = (own: AspiredVersion) => (assigned(own) ?? own).memoryBytes;
  const bytesOf = (replicas: readonly Held[]) => replicas.reduce((sum, one) => sum + memoryBytesOf(one.aspired), 0);
  const neededBytes = memoryBytesOf(version);
  const loaded = held.filter(({ state }) => state.kind !== "failed" && state.kind !== "dormant");
  const freeBytes = budgetBytes - bytesOf(loaded);
  if (neededBytes <= freeBytes) return { kind: "free" };
  const leavingBytes =
    freeBytes + bytesOf(loaded.filter((one) => one.state.kind === "unloading" && !isLeftBehind(one)));
  if (neededBytes <= leavingBytes) return { kind: "short", victims: [] };
  const isAssigned = (one: Held) => assigned(one.aspired) !== undefined;
  const isNeeded = (one: Held) => one.hasSequences || isDemanded(one.aspired);
  const mayGo = loaded.filter((one) => one.state.kind !== "unloading" && (assigned(one.aspired)?.isOnDemand ?? true));
  const victims = mayGo
    .filter((one) => one.state.kind === "ready" && !(isAssigned(one) && isNeeded(one)))
    .sort((a, b) => Number(isAssigned(a)) - Number(isAssigned(b)) || a.lastUsedMs - b.lastUsedMs);
  if (neededBytes <= leavingBytes + bytesOf(victims)) return { kind: "short", victims };
  const freeableBytes = leavingBytes + bytesOf(mayGo);
  if (neededBytes <= freeableBytes) return { kind: "short", victims: [] };
  const reason =
    `it needs ${neededBytes} bytes of memory; the node has ${budgetBytes}, ` +
    `of which ${Math.max(0, freeableBytes)} are free or may be freed`;
  return { kind: "refused", reason };
}
