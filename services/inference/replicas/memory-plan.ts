import { type AspiredVersion, isSameVersion } from "./aspired-version.ts";
import type { HeldVersion, PolicySnapshot } from "./policy-snapshot.ts";

/** What a version needs that is to be loaded. */
export type Room<Held> =
  | { readonly kind: "free" }
  /** It is free once these are unloaded, the first one first; empty where it is enough to wait. */
  | { readonly kind: "short"; readonly victims: readonly Held[] }
  /** It is not, whatever may go. */
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Whether a version has room within the memory budget of the node. What may go for it are versions that are loaded on demand, that
 * used least recently first, but none while requests wait for it; and what is no longer assigned, which goes before them.
 */
export function roomFor<Held extends HeldVersion>(
  version: AspiredVersion,
  snapshot: Omit<PolicySnapshot<Held>, "nowMs" | "loadsMax">,
): Room<Held> {
  const { aspired, held, budgetBytes, isDemanded } = snapshot;
  const loaded = held.filter(({ state }) => state.kind !== "failed");
  const freeBytes = budgetBytes - bytesOf(loaded);
  if (version.memoryBytes <= freeBytes) return { kind: "free" };
  const leavingBytes = freeBytes + bytesOf(loaded.filter(({ state }) => state.kind === "unloading"));
  if (version.memoryBytes <= leavingBytes) return { kind: "short", victims: [] };
  const isAssigned = ({ aspired: own }: Held) => aspired.some((other) => isSameVersion(other, own));
  const mayGo = loaded.filter((one) => one.state.kind !== "unloading" && (one.aspired.isOnDemand || !isAssigned(one)));
  const victims = mayGo
    .filter((one) => one.state.kind === "ready" && !(isAssigned(one) && isDemanded(one.aspired)))
    .sort((a, b) => Number(isAssigned(a)) - Number(isAssigned(b)) || a.lastUsedMs - b.lastUsedMs);
  if (version.memoryBytes <= leavingBytes + bytesOf(victims)) return { kind: "short", victims };
  const freeableBytes = leavingBytes + bytesOf(mayGo);
  if (version.memoryBytes <= freeableBytes) return { kind: "short", victims: [] };
  const reason =
    `it needs ${version.memoryBytes} bytes of memory; the node has ${budgetBytes}, ` +
    `of which ${Math.max(0, freeableBytes)} are free or may be freed`;
  return { kind: "refused", reason };
}

function bytesOf(held: readonly HeldVersion[]): number {
  return held.reduce((sum, { aspired }) => sum + aspired.memoryBytes, 0);
}
