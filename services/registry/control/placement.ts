/** What is to be placed, and where it stands now. */
export interface Placeable {
  /** Names the version among all versions of all models. */
  readonly key: string;
  /** Nodes on which it is ready. */
  readonly readyOn: readonly string[];
}

/**
 * The nodes that should hold a version: its first `count` nodes by rendezvous hashing (Thaler and Ravishankar 1998), so
 * that a node that joins or leaves moves only what it gains or loses. A node that has it ready keeps it until all of those
 * have it ready too, so that a move never leaves a gap.
 */
export function placement({ key, readyOn }: Placeable, nodes: readonly string[], count: number): ReadonlySet<string> {
  const chosen = rendezvous(key, nodes).slice(0, count);
  const arrived = chosen.every((node) => readyOn.includes(node));
  return new Set(arrived ? chosen : [...chosen, ...readyOn.filter((node) => nodes.includes(node))]);
}

/** All nodes, the best for this key first; equal weights are ordered by name. */
function rendezvous(key: string, nodes: readonly string[]): readonly string[] {
  return nodes
    .map((node) => ({ node, weight: hash(`${node}\0${key}`) }))
    .sort((a, b) => b.weight - a.weight || (a.node < b.node ? -1 : 1))
    .map(({ node }) => node);
}

/** FNV-1a over UTF-16 units, then the finalizer of MurmurHash3 (Appleby 2011), which spreads the last units' bits. */
function hash(text: string): number {
  let word = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) word = Math.imul(word ^ text.charCodeAt(i), 0x01000193);
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}
