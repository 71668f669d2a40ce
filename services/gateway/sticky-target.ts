import { hashOf, weightOf } from "../../lib/rendezvous.ts";
import type { AliasTarget } from "./route-facts.ts";

/**
 * Chooses one of several targets, which are not empty, for a name: the same one as long as targets and weights stay, over all names as
 * often as the weights say, and where these change, only for as many names as have to move.
 *
 * Source: weighted rendezvous hashing, Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", 2005 (logarithmic method).
 */
export function stickyTarget<Target extends AliasTarget>(targets: readonly Target[], name: string): Target {
  const hash = hashOf(name);
  // The sooner, the better: exponentially distributed, with the weight as rate.
  const timeOf = ({ version, weight }: AliasTarget) =>
    -Math.log((weightOf(hashOf(String(version)), hash) + 0.5) / 2 ** 31) / weight;
  return targets
    .map((target) => ({ target, time: timeOf(target) }))
    .reduce((best, other) => (other.time < best.time ? other : best)).target;
}
