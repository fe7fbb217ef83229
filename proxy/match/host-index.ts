// Hostname → virtual host on one listener: the exact name, else the wildcard that stands for its first label, else `*`.
// There is no way back: a named host that has no route for a path does not fall back to `*`.
import { ShardedMap } from './sharded-map.ts';

/** Immutable; `with` gives a changed one. */
export class HostIndex<V> {
  readonly #hosts: ShardedMap<V>;
  /** `.example.com` for `*.example.com`. */
  readonly #wildcards: ShardedMap<V>;
  readonly #any: V | undefined;

  private constructor(hosts: ShardedMap<V>, wildcards: ShardedMap<V>, any: V | undefined) {
    this.#hosts = hosts;
    this.#wildcards = wildcards;
    this.#any = any;
  }

  static empty<V>(): HostIndex<V> {
    return new HostIndex<V>(ShardedMap.empty(), ShardedMap.empty(), undefined);
  }

  /** What answers a request for this hostname. */
  find(hostname: string): V | undefined {
    return this.#hosts.get(hostname) ?? this.#findWildcard(hostname) ?? this.#any;
  }

  #findWildcard(hostname: string): V | undefined {
    const dot = hostname.indexOf('.');
    return dot > 0 ? this.#wildcards.get(hostname.substring(dot)) : undefined;
  }

  /** What stands under exactly this name: `shop.example.com`, `*.example.com`, `*`. */
  at(hostname: string): V | undefined {
    if (hostname === '*') return this.#any;
    return hostname.startsWith('*.') ? this.#wildcards.get(hostname.slice(1)) : this.#hosts.get(hostname);
  }

  /** By name as written; undefined removes. */
  with(changes: ReadonlyMap<string, V | undefined>): HostIndex<V> {
    const hosts = new Map<string, V | undefined>();
    const wildcards = new Map<string, V | undefined>();
    let any = this.#any;
    for (const [hostname, value] of changes) {
      if (hostname === '*') any = value;
      else if (hostname.startsWith('*.')) wildcards.set(hostname.slice(1), value);
      else hosts.set(hostname, value);
    }
    return new HostIndex(this.#hosts.with(hosts), this.#wildcards.with(wildcards), any);
  }

  /** Every name, as written, in no particular order. */
  names(): string[] {
    const names: string[] = this.#any === undefined ? [] : ['*'];
    this.#hosts.forEach((_, hostname) => names.push(hostname));
    this.#wildcards.forEach((_, suffix) => names.push(`*${suffix}`));
    return names;
  }
}
