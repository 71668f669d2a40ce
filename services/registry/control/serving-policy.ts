import type { ModelEntry, VersionEntry } from "../store/entries.ts";

/** The versions of a model that should be loaded: those that an alias points at, and the newest ones. */
export function servedVersions({ versions, aliases }: ModelEntry, newestCount: number): readonly VersionEntry[] {
  const aliased = new Set(Object.values(aliases));
  const newest = new Set(newestCount === 0 ? [] : versions.slice(-newestCount));
  return versions.filter((version) => aliased.has(version.number) || newest.has(version));
}
