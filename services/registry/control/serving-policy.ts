import type { AliasAim, ModelEntry, VersionEntry } from "../store/entries.ts";
import { versionAt } from "./version-list.ts";

/** What comes first where memory is short: targets of aliases, their mirrors, what the version policy names besides. */
export const priorities = [0, 1, 2] as const;
export type Priority = (typeof priorities)[number];

/** A version that should be held somewhere. */
export interface ServedVersion {
  readonly version: VersionEntry;
  readonly priority: Priority;
}

/**
 * The versions of a model that should be held, in the order in which to load them: by priority, the newest first. Of those that
 * the policy counts only READY ones; a DEPRECATED one is held where an alias, or the policy by its number, asks for it.
 */
export function servedVersions(
  { versions, settings }: ModelEntry,
  aims: readonly AliasAim[],
  newestCount: number,
): readonly ServedVersion[] {
  const policy = settings?.values.versionPolicy ?? {};
  const newestMax = policy.all ? Infinity : policy.specific ? 0 : (policy.latest ?? newestCount);
  const wanted = new Map<number, Priority>();
  for (const number of [...newestReady(versions, newestMax), ...(policy.specific?.versions ?? [])]) {
    wanted.set(number, 2);
  }
  for (const { version } of aims.flatMap((aim) => aim.mirrors)) wanted.set(version, 1);
  for (const { version } of aims.flatMap((aim) => aim.targets)) wanted.set(version, 0);
  const served = [...wanted].flatMap(([number, priority]): ServedVersion[] => {
    const version = versionAt(versions, number);
    return version !== undefined && isServable(version) ? [{ version, priority }] : [];
  });
  return served.sort((a, b) => a.priority - b.priority || b.version.number - a.version.number);
}

function* newestReady(versions: readonly VersionEntry[], countMax: number): Iterable<number> {
  for (let index = versions.length - 1, count = 0; index >= 0 && count < countMax; index--) {
    if (versions[index].state !== "READY") continue;
    count++;
    yield versions[index].number;
  }
}

/** Whether a version is in a state in which nodes can hold it. */
export function isServable({ state }: VersionEntry): boolean {
  return state === "READY" || state === "DEPRECATED";
}
