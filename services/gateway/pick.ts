/**
 * Chooses one of several replicas by the power of two choices: of two random ones the less busy, which spreads load almost
 * as well as knowing all, without every gateway running to the same node.
 *
 * - `addresses` is not empty.
 * - `load` answers the outstanding requests of a node, Infinity for one that cannot be reached; such a node is only
 *   chosen where there is no other.
 * - `random` answers a number in [0, 1).
 *
 * Source: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001.
 */
export function pick(addresses: readonly string[], load: (address: string) => number, random: () => number): string {
  const reachable = addresses.filter((address) => load(address) < Infinity);
  const candidates = reachable.length > 0 ? reachable : addresses;
  const first = Math.floor(random() * candidates.length);
  if (candidates.length === 1) return candidates[first]!;
  // Any but the first, all equally likely.
  const second = (first + 1 + Math.floor(random() * (candidates.length - 1))) % candidates.length;
  return load(candidates[second]!) < load(candidates[first]!) ? candidates[second]! : candidates[first]!;
}
