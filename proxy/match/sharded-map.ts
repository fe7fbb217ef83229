// An immutable map of strings whose copy with a few changes costs a few small copies, not the whole: a hash spreads the keys
// over shards, and a changed map shares every shard that it did not touch. Lookup is two array reads and one Map lookup.

const SHARDS = 256;

/** Changes by key; undefined removes. */
export type Changes<V> = ReadonlyMap<string, V | undefined>;

export class ShardedMap<V> {
  readonly #shards: readonly (Map<string, V> | undefined)[];

  private constructor(shards: readonly (Map<string, V> | undefined)[]) {
    this.#shards = shards;
  }

  static empty<V>(): ShardedMap<V> {
    return new ShardedMap<V>(Array.from({ length: SHARDS }, () => undefined));
  }

  get(key: string): V | undefined {
    return this.#shards[shardOf(key)]?.get(key);
  }

  with(changes: Changes<V>): ShardedMap<V> {
    if (changes.size === 0) return this;
    const shards = this.#shards.slice();
    const own = new Set<number>();
    for (const [key, value] of changes) {
      const at = shardOf(key);
      if (!own.has(at)) {
        own.add(at);
        shards[at] = new Map(shards[at]);
      }
      const shard = shards[at] as Map<string, V>;
      if (value === undefined) shard.delete(key);
      else shard.set(key, value);
    }
    return new ShardedMap(shards);
  }

  *entries(): IterableIterator<[string, V]> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard;
  }
}

/** FNV-1a, folded. */
function shardOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 16)) & (SHARDS - 1);
}
