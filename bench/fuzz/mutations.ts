import type { Random } from "../../lib/random.ts";
import { bytesField, groups, nested, tag, varint, wireType } from "./wire.ts";

/** One way of spoiling a message. */
type Mutation = (bytes: Buffer, random: Random) => Buffer;

const at = (bytes: Buffer, random: Random) => random.below(bytes.length + 1);
/** Any field of the contracts, and some that they do not have. */
const anyField = (random: Random) => (random.below(4) === 0 ? 1 + random.below(2 ** 29 - 1) : 1 + random.below(12));

const mutations: Readonly<Record<string, Mutation>> = {
  "random bytes": (_, random) => randomBytes(random.below(200), random),
  truncated: (bytes, random) => bytes.subarray(0, at(bytes, random)),
  "flipped bits": (bytes, random) => {
    const flipped = Buffer.from(bytes);
    for (let count = 1 + random.below(4); count > 0 && bytes.length > 0; count--)
      flipped[random.below(bytes.length)]! ^= 1 << random.below(8);
    return flipped;
  },
  "other bytes": (bytes, random) => {
    const changed = Buffer.from(bytes);
    const begin = at(bytes, random);
    randomBytes(Math.min(1 + random.below(8), bytes.length - begin), random).copy(changed, begin);
    return changed;
  },
  "a part left out": (bytes, random) => {
    const [begin, end] = part(bytes, random);
    return Buffer.concat([bytes.subarray(0, begin), bytes.subarray(end)]);
  },
  "a part twice": (bytes, random) => {
    const [begin, end] = part(bytes, random);
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(begin)]);
  },
  "random bytes in between": (bytes, random) => inserted(bytes, random, randomBytes(1 + random.below(16), random)),
  "all of it twice": (bytes) => Buffer.concat([bytes, bytes]),
  "a field too many": (bytes, random) => {
    const content = randomBytes(random.below(32), random);
    return Buffer.concat([bytes, bytesField(anyField(random), content)]);
  },
  "a field that is longer than the message": (bytes, random) => {
    const length = [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 35, 2 ** 53 - 1][random.below(5)];
    return Buffer.concat([bytes, bytesField(anyField(random), Buffer.alloc(random.below(8)), length)]);
  },
  "a field of another wire type": (bytes, random) => {
    const value = randomBytes([1, 8, 0, 0, 0, 4, 3, 3][random.below(8)]!, random);
    return Buffer.concat([bytes, tag(anyField(random), random.below(8)), value]);
  },
  "a long varint": (bytes, random) => {
    const number = Buffer.concat([tag(anyField(random), wireType.varint), varint(1, 1 + random.below(20))]);
    return random.below(2) === 0 ? Buffer.concat([bytes, number]) : inserted(bytes, random, number);
  },
  groups: (bytes, random) =>
    Buffer.concat([bytes, groups(anyField(random), 1 + random.below(20_000), random.below(2) === 0)]),
  "deep nesting": (bytes, random) => Buffer.concat([bytes, nested(anyField(random), 1 + random.below(500))]),
  "a text that is not UTF-8": (bytes, random) =>
    Buffer.concat([bytes, bytesField(1 + random.below(3), Buffer.from([0xff, 0xfe, 0xc0, 0x80, random.below(256)]))]),
  "a text of NULs": (bytes, random) => Buffer.concat([bytes, bytesField(1 + random.below(3), Buffer.alloc(3))]),
  "the field 0": (bytes, random) => Buffer.concat([bytes, Buffer.from([random.below(8)]), randomBytes(4, random)]),
};

/** The names of all mutations. */
export const mutationNames = Object.keys(mutations);

/** The message spoiled in one way. */
export function mutated(bytes: Buffer, name: string, random: Random): Buffer {
  return mutations[name]!(bytes, random);
}

export function randomBytes(count: number, random: Random): Buffer {
  return Buffer.from(Uint8Array.from({ length: count }, () => random.below(256)));
}

function part(bytes: Buffer, random: Random): readonly [number, number] {
  const [a, b] = [at(bytes, random), at(bytes, random)];
  return [Math.min(a, b), Math.max(a, b)];
}

function inserted(bytes: Buffer, random: Random, what: Buffer): Buffer {
  const begin = at(bytes, random);
  return Buffer.concat([bytes.subarray(0, begin), what, bytes.subarray(begin)]);
}
