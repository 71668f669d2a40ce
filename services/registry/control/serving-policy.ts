import type { ModelEntry, VersionEntry } from "../store/entries.ts";

/**
 * The versions of a model that should be loaded, in the order in which to load them: those that `needed` names, such as
 * targets of aliases, then the `newestCount` newest ones; the newest first in both groups.
 */
export function servedVersions(
  { versions }: ModelEntry,
  needed: ReadonlySet<number>,
  newestCount: number,
): readonly VersionEntry[] {
  const newest = versions.slice(Math.max(0, versions.length - newestCount)).filter(({ number }) => !needed.has(number));
  return [...versions.filter(({ number }) => needed.has(number)).reverse(), ...newest.reverse()];
}
