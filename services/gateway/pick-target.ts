import type { AliasTarget } from "./route-facts.ts";

/** Chooses one of several targets, which are not empty, each as often as its weight says, by a number in [0, 1). */
export function pickTarget<Target extends AliasTarget>(targets: readonly Target[], random: number): Target {
  const last = targets.length - 1;
  if (last === 0) return targets[0]!;
  let sum = 0;
  for (const { weight } of targets) sum += weight;
  let left = random * sum;
  for (let index = 0; index < last; index++) {
    const target = targets[index]!;
    if (left < target.weight) return target;
    left -= target.weight;
  }
  return targets[last]!;
}

/** The targets that are ready, or all where none is: the others get nothing as long as another one is. */
export function readyTargets<Target extends AliasTarget>(
  targets: readonly Target[],
  isReady: (target: Target) => boolean,
): readonly Target[] {
  const ready = targets.filter(isReady);
  return ready.length > 0 ? ready : targets;
}
