import type { AliasAim, ModelEntry, VersionEntry } from "../store/entries.ts";

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
  const targets = new Set(aims.flatMap((aim) => aim.targets.map(({ version }) => version)));
  const mirrors = new Set(aims.flatMap((aim) => aim.mirrors.map(({ version }) => version)));
  const policy = settings?.values.versionPolicy ?? {};
  const named = new Set(policy.specific?.versions ?? []);
  let newestLeft = policy.all ? Infinity : policy.specific ? 0 : (policy.latest ?? newestCount);
  const served: ServedVersion[] = [];
  for (const version of [...versions].reverse()) {
    const isCounted = version.state === "READY" && newestLeft-- > 0;
    const priority =
      priorityOf(version.number, targets, mirrors) ?? (isCounted || named.has(version.number) ? 2 : undefined);
    if (priority !== undefined && isServable(version)) served.push({ version, priority });
  }
  return served.sort((a, b) => a.priority - b.priority);
}

/** Whether a version is in a state in which nodes can hold it. */
export function isServable({ state }: VersionEntry): boolean {
  return state === "READY" || state === "DEPRECATED";
}

function priorityOf(number: number, targets: ReadonlySet<number>, mirrors: ReadonlySet<number>): Priority | undefined {
  if (targets.has(number)) return 0;
  return mirrors.has(number) ? 1 : undefined;
}
