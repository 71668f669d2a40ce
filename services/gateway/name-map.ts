import { hashOf, hashOfAscii } from "../../lib/rendezvous.ts";

/**
 * An immutable map by names whose next state costs a small part of a copy, and which knows a name by the bytes of a message.
 *
 * Entries lie in shards by the hashes of their names. A shard is one flat list of slots, in which hash, name and value lie side by side,
 * so that little memory is read to find one; only the shard of the one that changes is made anew. Iterates in no particular order.
 */
export class NameMap<Value> implements ReadonlyMap<string, Value> {
  readonly #shards: readonly Shard<Value>[];
  readonly size: number;
  /** What was spelled last is asked for next. */
  #spelledName: string | undefined;
  #spelledValue: Value | undefined;

  private constructor(shards: readonly Shard<Value>[], size: number) {
    this.#shards = shards;
    this.size = size;
  }

  /** The map with these entries; of several with one name the last one. */
  static of<Value>(entries: Iterable<readonly [string, Value]>): NameMap<Value> {
    const byShard = Array.from({ length: shardCount }, () => new Map<string, Value>());
    for (const [name, value] of entries) byShard[hashOf(name) % shardCount]!.set(name, value);
    return new NameMap(
      byShard.map(shardOf),
      byShard.reduce((sum, { size }) => sum + size, 0),
    );
  }

  with(name: string, value: Value): NameMap<Value> {
    return this.#changed(name, (entries) => entries.set(name, value));
  }

  without(name: string): NameMap<Value> {
    return this.#changed(name, (entries) => entries.delete(name));
  }

  get(name: string): Value | undefined {
    if (name === this.#spelledName) return this.#spelledValue;
    const hash = hashOf(name);
    const shard = this.#shards[hash % shardCount]!;
    for (let slot = firstSlot(shard, hash); ; slot = nextSlot(shard, slot)) {
      const known = shard[slot + 1] as string | undefined;
      if (known === undefined) return undefined;
      if (shard[slot] === hash && known === name) return shard[slot + 2] as Value;
    }
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** The name that these bytes spell in ASCII, where it is one of the map's: the same text each time, so that none is made for it. */
  spelled(bytes: Uint8Array, start: number, end: number): string | undefined {
    const hash = hashOfAscii(bytes, start, end);
    const shard = this.#shards[hash % shardCount]!;
    for (let slot = firstSlot(shard, hash); ; slot = nextSlot(shard, slot)) {
      const known = shard[slot + 1] as string | undefined;
      if (known === undefined) return undefined;
      if (shard[slot] !== hash || !isSpelled(known, bytes, start, end)) continue;
      this.#spelledName = known;
      this.#spelledValue = shard[slot + 2] as Value;
      return known;
    }
  }

  *entries(): MapIterator<[string, Value]> {
    for (const shard of this.#shards) yield* entriesOf(shard);
  }

  *keys(): MapIterator<string> {
    for (const [name] of this) yield name;
  }

  *values(): MapIterator<Value> {
    for (const [, value] of this) yield value;
  }

  [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries();
  }

  forEach(act: (value: Value, name: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [name, value] of this) act(value, name, this);
  }

  #changed(name: string, change: (entries: Map<string, Value>) => void): NameMap<Value> {
    const index = hashOf(name) % shardCount;
    const entries = new Map(entriesOf(this.#shards[index]!));
    const sizeBefore = entries.size;
    change(entries);
    return new NameMap(this.#shards.with(index, shardOf(entries)), this.size + entries.size - sizeBefore);
  }
}

/** Slots of three places: the hash, the name, which is undefined where the slot is free, and the value. At least a third of them is free. */
type Shard<Value> = readonly (number | string | Value | undefined)[];

/** A change copies so many references, and of n entries one in so many: little of both up to some hundred thousand. */
const shardCount = 256;
const places = 3;

function shardOf<Value>(entries: ReadonlyMap<string, Value>): Shard<Value> {
  const slotCount = 1 << (32 - Math.clz32(entries.size + (entries.size >> 1)));
  const shard = new Array<number | string | Value | undefined>(slotCount * places).fill(undefined);
  for (const [name, value] of entries) {
    const hash = hashOf(name);
    let slot = firstSlot(shard, hash);
    while (shard[slot + 1] !== undefined) slot = nextSlot(shard, slot);
    shard[slot] = hash;
    shard[slot + 1] = name;
    shard[slot + 2] = value;
  }
  return shard;
}

function* entriesOf<Value>(shard: Shard<Value>): Generator<[string, Value]> {
  for (let slot = 0; slot < shard.length; slot += places) {
    if (shard[slot + 1] !== undefined) yield [shard[slot + 1] as string, shard[slot + 2] as Value];
  }
}

/** Where a name of this hash lies, or one of those that are in its way; there is a power of two of slots. */
function firstSlot({ length }: Shard<unknown>, hash: number): number {
  return (Math.floor(hash / shardCount) & (length / places - 1)) * places;
}

function nextSlot({ length }: Shard<unknown>, slot: number): number {
  return slot + places === length ? 0 : slot + places;
}

function isSpelled(name: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let index = 0; index < name.length; index++) {
    const byte = bytes[start + index]!;
    if (byte >= 0x80 || byte !== name.charCodeAt(index)) return false;
  }
  return true;
}
