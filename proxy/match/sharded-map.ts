// An immutable map of strings whose copy with a few changes costs a few small copies, not the whole: a hash spreads the keys
// over shards, and a changed map shares every shard that it did not touch.
import { hashOf } from './hash.ts';

const SHARD_BITS = 8;
const SHARDS = 1 << SHARD_BITS;

interface Entry<V> {
  readonly key: string;
  readonly value: V;
  /** Another key with the same hash. */
  readonly next: Entry<V> | undefined;
}

/** By hash: the text is hashed once, for the shard and within it. */
type Shard<V> = Map<number, Entry<V>>;

/** Changes by key; undefined removes. */
export type Changes<V> = ReadonlyMap<string, V | undefined>;

export class ShardedMap<V> {
  readonly #shards: readonly (Shard<V> | undefined)[];

  private constructor(shards: readonly (Shard<V> | undefined)[]) {
    this.#shards = shards;
  }

  static empty<V>(): ShardedMap<V> {
    return new ShardedMap<V>(Array.from({ length: SHARDS }, () => undefined));
  }

  get(key: string): V | undefined {
    const hash = hashOf(key);
    let entry = this.#shards[shardOf(hash)]?.get(hash);
    while (entry !== undefined && entry.key !== key) entry = entry.next;
    return entry?.value;
  }

  with(changes: Changes<V>): ShardedMap<V> {
    if (changes.size === 0) return this;
    const shards = this.#shards.slice();
    const own = new Set<number>();
    for (const [key, value] of changes) {
      const hash = hashOf(key);
      const at = shardOf(hash);
      if (!own.has(at)) {
        own.add(at);
        shards[at] = new Map(shards[at]);
      }
      change(shards[at] as Shard<V>, hash, key, value);
    }
    return new ShardedMap(shards);
  }

  /** Every value, in no particular order. */
  forEach(visit: (value: V, key: string) => void): void {
    for (const shard of this.#shards) {
      if (shard === undefined) continue;
      for (let entry of shard.values() as Iterable<Entry<V> | undefined>) {
        for (; entry !== undefined; entry = entry.next) visit(entry.value, entry.key);
      }
    }
  }
}

function change<V>(shard: Shard<V>, hash: number, key: string, value: V | undefined): void {
  let chain = without(shard.get(hash), key);
  if (value !== undefined) chain = { key, value, next: chain };
  if (chain === undefined) shard.delete(hash);
  else shard.set(hash, chain);
}

/** The chain without a key; the entries of the chain before stay as they are. */
function without<V>(chain: Entry<V> | undefined, key: string): Entry<V> | undefined {
  if (chain === undefined) return undefined;
  if (chain.key === key) return chain.next;
  const next = without(chain.next, key);
  return next === chain.next ? chain : { ...chain, next };
}

/** The high bits: the low ones spread within the shard. */
function shardOf(hash: number): number {
  return hash >>> (32 - SHARD_BITS);
}
