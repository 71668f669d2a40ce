/**
 * At most `count` of the names, those most like `wanted` first: by edit distance, then by the alphabet. Of very many
 * names only those that begin alike are compared, so that a misspelt name stays cheap.
 */
export function nearestNames(wanted: string, names: readonly string[], count: number): string[] {
  const target = wanted.slice(0, comparedLength);
  return likelyNames(target, names)
    .map((name) => ({ name, distance: editDistance(target, name.slice(0, comparedLength)) }))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, count)
    .map(({ name }) => name);
}

/** Names that are compared letter by letter. */
const comparedMax = 200;
/** The registry's limit of a name. */
const comparedLength = 63;

function likelyNames(target: string, names: readonly string[]): readonly string[] {
  if (names.length <= comparedMax) return names;
  return names
    .map((name) => ({ name, shared: sharedPrefixLength(target, name) }))
    .sort((a, b) => b.shared - a.shared)
    .slice(0, comparedMax)
    .map(({ name }) => name);
}

function sharedPrefixLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

/** Levenshtein's distance: the fewest insertions, deletions and replacements of one character. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
