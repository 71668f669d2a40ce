/** The hash of a name: FNV-1a over its UTF-16 units, spread; 31 bits. */
export function hashOf(name: string): number {
  let word = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) word = Math.imul(word ^ name.charCodeAt(i), 0x01000193);
  return spread(word);
}

/** The hash of a name that is written in ASCII; of other bytes it means nothing. */
export function hashOfAscii(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let word = 0x811c9dc5;
  for (let i = start; i < end; i++) word = Math.imul(word ^ bytes[i]!, 0x01000193);
  return spread(word);
}

/**
 * How much something wants to be on a node, by the hashes of their names; 31 bits. Whoever takes the nodes with the highest
 * weights (rendezvous hashing, Thaler and Ravishankar 1998) moves only what a node that joins or leaves gains or loses.
 */
export function weightOf(nodeHash: number, hash: number): number {
  return spread(Math.imul(nodeHash, 0x9e3779b1) + hash);
}

/** The finalizer of MurmurHash3 (Appleby 2011): every bit of the word decides over every bit of the answer. */
function spread(word: number): number {
  let mixed = word | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 1;
}
