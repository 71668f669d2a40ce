import type { AliasTarget } from "./route-facts.ts";

/**
 * What is drawn from by weight, by turns the weights up to and with those of one, and that one: a flat list, because of ten thousand models
 * little is in a cache. Not empty.
 */
export type Draws<Value> = readonly (number | Value)[];

/** To draw what each of these targets, which are not empty, stands for. */
export function drawsOf<Target extends AliasTarget, Value>(
  targets: readonly Target[],
  meaning: (target: Target) => Value,
): Draws<Value> {
  let sum = 0;
  return targets.flatMap((target) => {
    sum += target.weight;
    return [sum, meaning(target)];
  });
}

/** One of them, each as often as its weight says, by a number in [0, 1). */
export function drawn<Value>(draws: Draws<Value>, random: number): Value {
  const last = draws.length - 2;
  const value = last === 0 ? 0 : random * (draws[last] as number);
  let place = 0;
  while (place < last && value >= (draws[place] as number)) place += 2;
  return draws[place + 1] as Value;
}

/** The targets that are ready, or all where none is: the others get nothing as long as another one is. */
export function readyTargets<Target extends AliasTarget>(
  targets: readonly Target[],
  isReady: (target: Target) => boolean,
): readonly Target[] {
  const ready = targets.filter(isReady);
  return ready.length > 0 ? ready : targets;
}
