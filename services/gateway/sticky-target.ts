import { hashOf, weightOf } from "../../lib/rendezvous.ts";
import { readyTargets } from "./pick-target.ts";
import type { AliasTarget } from "./route-table.ts";

/**
 * Chooses one of an alias's targets for a name: the same one as long as targets and weights stay, over all names as often as the
 * weights say, and where these change, only for as many names as have to move. Those that are not ready get nothing as long as another
 * one is.
 *
 * - `targets` is not empty; `isReady` answers whether a version is.
 *
 * Source: weighted rendezvous hashing, Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", 2005 (logarithmic method).
 */
export function stickyTarget(
  targets: readonly AliasTarget[],
  isReady: (version: number) => boolean,
  name: string,
): number {
  const hash = hashOf(name);
  // The sooner, the better: exponentially distributed, with the weight as rate.
  const timeOf = ({ version, weight }: AliasTarget) =>
    -Math.log((weightOf(hashOf(String(version)), hash) + 0.5) / 2 ** 31) / weight;
  return readyTargets(targets, isReady)
    .map((target) => ({ version: target.version, time: timeOf(target) }))
    .reduce((best, other) => (other.time < best.time ? other : best)).version;
}
