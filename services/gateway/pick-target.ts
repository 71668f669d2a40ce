import type { AliasTarget } from "./route-table.ts";

/**
 * Chooses one of an alias's targets, each as often as its weight says. Those that are not ready get nothing as long as
 * another one is.
 *
 * - `targets` is not empty; `isReady` answers whether a version is.
 * - `random` is in [0, 1); the same number gives the same target.
 */
export function pickTarget(
  targets: readonly AliasTarget[],
  isReady: (version: number) => boolean,
  random: number,
): number {
  const [first] = targets;
  if (targets.length === 1) return first.version;
  const candidates = readyTargets(targets, isReady);
  let left = random * candidates.reduce((sum, { weight }) => sum + weight, 0);
  const chosen = candidates.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  // Rounding may leave nothing of a random number next to 1.
  return (chosen ?? candidates.at(-1)!).version;
}

/** Those that are ready, or all where none is. */
export function readyTargets(
  targets: readonly AliasTarget[],
  isReady: (version: number) => boolean,
): readonly AliasTarget[] {
  const ready = targets.filter(({ version }) => isReady(version));
  return ready.length > 0 ? ready : targets;
}
