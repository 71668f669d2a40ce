import type { VersionEntry } from "../store/entries.ts";

/** Versions of one model, ascending by number; there may be very many. */
type Versions = readonly VersionEntry[];

/** The version of a number. */
export function versionAt(versions: Versions, number: number): VersionEntry | undefined {
  const version = versions[firstFrom(versions, number)];
  return version?.number === number ? version : undefined;
}

/** The versions with some of them as they are now; undefined stands for one that is gone. */
export function withVersions(versions: Versions, renewed: ReadonlyMap<number, VersionEntry | undefined>): Versions {
  const list = [...versions];
  for (const [number, version] of renewed) {
    const index = firstFrom(list, number);
    const countBefore = list[index]?.number === number ? 1 : 0;
    list.splice(index, countBefore, ...(version === undefined ? [] : [version]));
  }
  return list;
}

/** The index of the first one whose number is not lower. */
function firstFrom(versions: Versions, number: number): number {
  let [begin, end] = [0, versions.length];
  while (begin < end) {
    const middle = (begin + end) >>> 1;
    if (versions[middle].number < number) begin = middle + 1;
    else end = middle;
  }
  return begin;
}
