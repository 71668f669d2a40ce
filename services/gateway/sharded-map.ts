import { hashOf } from "../../lib/rendezvous.ts";

/**
 * An immutable map whose next state costs a small part of a copy: entries lie in shards by the hashes of their keys, and only the shard
 * of the one that changes is made anew. Iterates shard by shard, in each in the order of insertion.
 */
export class ShardedMap<Value> implements ReadonlyMap<string, Value> {
  readonly #shards: readonly ReadonlyMap<string, Value>[];
  readonly #size: number;

  private constructor(shards: readonly ReadonlyMap<string, Value>[], size: number) {
    this.#shards = shards;
    this.#size = size;
  }

  /** The map with these entries; the same one where it is one already. */
  static of<Value>(entries: Iterable<readonly [string, Value]>): ShardedMap<Value> {
    if (entries instanceof ShardedMap) return entries;
    const shards = Array.from({ length: shardCount }, () => new Map<string, Value>());
    for (const [key, value] of entries) shards[shardOf(key)]!.set(key, value);
    return new ShardedMap(
      shards,
      shards.reduce((sum, { size }) => sum + size, 0),
    );
  }

  get size(): number {
    return this.#size;
  }

  with(key: string, value: Value): ShardedMap<Value> {
    return this.#changed(key, (shard) => shard.set(key, value));
  }

  without(key: string): ShardedMap<Value> {
    return this.#changed(key, (shard) => shard.delete(key));
  }

  get(key: string): Value | undefined {
    return this.#shards[shardOf(key)]!.get(key);
  }

  has(key: string): boolean {
    return this.#shards[shardOf(key)]!.has(key);
  }

  *entries(): MapIterator<[string, Value]> {
    for (const shard of this.#shards) yield* shard;
  }

  *keys(): MapIterator<string> {
    for (const shard of this.#shards) yield* shard.keys();
  }

  *values(): MapIterator<Value> {
    for (const shard of this.#shards) yield* shard.values();
  }

  [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries();
  }

  forEach(act: (value: Value, key: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this) act(value, key, this);
  }

  #changed(key: string, change: (shard: Map<string, Value>) => void): ShardedMap<Value> {
    const index = shardOf(key);
    const shard = new Map(this.#shards[index]);
    change(shard);
    const sizeBefore = this.#shards[index]!.size;
    return new ShardedMap(this.#shards.with(index, shard), this.#size + shard.size - sizeBefore);
  }
}

/** A change copies so many references, and of n entries one in so many: little of both up to some hundred thousand. */
const shardCount = 256;

function shardOf(key: string): number {
  return hashOf(key) % shardCount;
}
