/**
 * A seeded stream of random numbers: the same seed and stream name give the same numbers on every machine and release.
 *
 * The generator is xoshiro128** 1.1 (Blackman & Vigna, "Scrambled linear pseudorandom number generators", 2018), its
 * state filled by SplitMix32 from the seed's two 32-bit halves and the FNV-1a hash of `stream`. Streams of one seed are
 * independent for practical purposes, so each use of randomness takes its own name. Not for secrets.
 */
export class Random {
  readonly #state = new Uint32Array(4);

  /** `seed` is an integer in [0, 2^53). */
  constructor(seed: number, stream = "") {
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new RangeError(`seed is ${seed}; needed: an integer in [0, 2^53)`);
    let word = 0;
    for (const part of [seed >>> 0, Math.floor(seed / 2 ** 32), fnv1a(stream)]) word = mixed((word ^ part) + golden);
    for (let i = 0; i < 4; i++) {
      word = (word + golden) >>> 0;
      this.#state[i] = mixed(word);
    }
  }

  /** The next 32 bits, as an integer in [0, 2^32). */
  next(): number {
    const s = this.#state;
    const result = Math.imul(rotated(Math.imul(s[1], 5), 7), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotated(s[3], 11);
    return result;
  }

  /** A number in [0, 1), a multiple of 2^-32. */
  uniform(): number {
    return this.next() / 2 ** 32;
  }

  /** An integer in [0, count), every one equally likely; `count` is an integer in [1, 2^32]. */
  below(count: number): number {
    let value = this.next();
    // Only numbers this large can be of the last ones, which would make some more likely than others; division is slow.
    if (value >= 2 ** 32 - count) {
      const limit = 2 ** 32 - (2 ** 32 % count);
      while (value >= limit) value = this.next();
    }
    return value % count;
  }

  /** The numbers 0 to count − 1 in random order (Fisher–Yates, from the last place to the first). */
  permutation(count: number): Int32Array {
    const order = new Int32Array(count);
    for (let i = 0; i < count; i++) order[i] = i;
    for (let i = count - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const kept = order[i];
      order[i] = order[j];
      order[j] = kept;
    }
    return order;
  }
}

const golden = 0x9e3779b9;

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** SplitMix32's output function: a bijection of 32-bit words that spreads every bit. */
function mixed(input: number): number {
  let word = input >>> 0;
  word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
  return (word ^ (word >>> 15)) >>> 0;
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
