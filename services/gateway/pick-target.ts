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
  if (targets.length === 1) return targets[0]!.version;
  const drawn = draw(targets, random);
  // The others are only looked at where it is not.
  if (isReady(drawn.version)) return drawn.version;
  return draw(readyTargets(targets, isReady), drawn.rest).version;
}

/** One of several by weight, and how far into its part the number fell: as random as the number, whatever was drawn. */
function draw(targets: readonly AliasTarget[], random: number): { readonly version: number; readonly rest: number } {
  let sum = 0;
  for (const { weight } of targets) sum += weight;
  let left = random * sum;
  for (const { version, weight } of targets) {
    if (left < weight) return { version, rest: left / weight };
    left -= weight;
  }
  // Rounding may leave nothing of a random number next to 1.
  return { version: targets.at(-1)!.version, rest: 0 };
}

/** Those that are ready, or all where none is. */
export function readyTargets(
  targets: readonly AliasTarget[],
  isReady: (version: number) => boolean,
): readonly AliasTarget[] {
  const ready = targets.filter(({ version }) => isReady(version));
  return ready.length > 0 ? ready : targets;
}
