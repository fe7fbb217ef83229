// The routing table of a worker: listener → hostname → route. Immutable: a change gives a new table that shares everything it
// did not touch, so that putting it in force is one pointer write, and a request keeps what it matched.
import type { Sections } from '../table/snapshot.ts';
import type { VirtualHost } from '../table/route.ts';
import type { CompiledRoute } from './compiled-route.ts';
import type { MatchInput } from './conditions.ts';
import { HostIndex } from './host-index.ts';
import { ShardedMap } from './sharded-map.ts';
import { compileVirtualHost } from './virtual-host.ts';
import type { CompileError, CompiledVirtualHost } from './virtual-host.ts';

export type { CompiledRoute } from './compiled-route.ts';
export type { CompileError, CompiledVirtualHost } from './virtual-host.ts';
export type { MatchInput } from './conditions.ts';

export interface Compiled {
  readonly table: RoutingTable;
  /** Of the whole table: routes that cannot match are left out of it, routes whose filters cannot run answer 503. */
  readonly errors: readonly CompileError[];
}

/** What became of the section `virtualHosts`, as in a Delta. */
export interface VirtualHostChange {
  readonly set?: Readonly<Record<string, VirtualHost>> | undefined;
  readonly remove?: readonly string[] | undefined;
}

type Indexes = ReadonlyMap<string, HostIndex<CompiledVirtualHost>>;

export class RoutingTable {
  readonly #hosts: ShardedMap<CompiledVirtualHost>;
  readonly #indexes: Indexes;
  /** Number of virtual hosts. */
  readonly #size: number;
  /** True: something did not compile, so that a change to one virtual host may mean something for another one. */
  readonly #flawed: boolean;

  constructor(hosts: ShardedMap<CompiledVirtualHost>, size: number, indexes: Indexes, flawed: boolean) {
    this.#hosts = hosts;
    this.#size = size;
    this.#indexes = indexes;
    this.#flawed = flawed;
  }

  /** The route that answers a request; undefined: none does. */
  match(listener: string, request: MatchInput): CompiledRoute | undefined {
    return this.#indexes.get(listener)?.find(request.hostname)?.index.find(request);
  }

  /** The virtual host that answers requests for a hostname: the exact one, a wildcard, or `*`. */
  virtualHost(listener: string, hostname: string): VirtualHost | undefined {
    return this.compiledHost(listener, hostname)?.virtualHost;
  }

  compiledHost(listener: string, hostname: string): CompiledVirtualHost | undefined {
    return this.#indexes.get(listener)?.find(hostname);
  }

  /** Every hostname that is served on a listener, as written and in no particular order. */
  hostnames(listener: string): readonly string[] {
    return this.#indexes.get(listener)?.names() ?? [];
  }

  /** The compiled virtual host of a key. */
  entry(key: string): CompiledVirtualHost | undefined {
    return this.#hosts.get(key);
  }

  /** The table after a change to some virtual hosts; its cost follows the change, not the table. The listeners stay as they are. */
  with({ set = {}, remove = [] }: VirtualHostChange): Compiled {
    const changes = new Map<string, CompiledVirtualHost | undefined>();
    for (const key of remove) if (this.#hosts.get(key) !== undefined) changes.set(key, undefined);
    for (const key of Object.keys(set)) changes.set(key, compileVirtualHost(key, set[key] as VirtualHost, this.#hosts.get(key)));
    if (changes.size === 0 && !this.#flawed) return { table: this, errors: [] };
    const hosts = this.#hosts.with(changes);
    let size = this.#size;
    let sound = !this.#flawed;
    for (const [key, host] of changes) {
      size += Number(host !== undefined) - Number(this.#hosts.get(key) !== undefined);
      sound &&= host === undefined || errorsOf(host, this.#indexes).length === 0;
    }
    const indexes = sound ? changedIndexes(this.#indexes, this.#hosts, changes) : undefined;
    return indexes === undefined ? indexed(hosts, size, [...this.#indexes.keys()]) : { table: new RoutingTable(hosts, size, indexes, false), errors: [] };
  }

  /** What became of the virtual hosts since this table was compiled; undefined: the listeners are others, and all must be compiled. */
  changesTo({ listeners, virtualHosts }: Pick<Sections, 'listeners' | 'virtualHosts'>): VirtualHostChange | undefined {
    const names = Object.values(listeners);
    if (names.length !== this.#indexes.size || !names.every(({ name }) => this.#indexes.has(name))) return undefined;
    const set: Record<string, VirtualHost> = {};
    let kept = 0;
    for (const key of Object.keys(virtualHosts)) {
      const before = this.#hosts.get(key);
      const virtualHost = virtualHosts[key] as VirtualHost;
      if (before !== undefined) kept++;
      if (before?.virtualHost !== virtualHost) set[key] = virtualHost;
    }
    const remove: string[] = [];
    if (kept < this.#size) {
      this.#hosts.forEach((_, key) => {
        if (!Object.hasOwn(virtualHosts, key)) remove.push(key);
      });
    }
    return { set, remove };
  }
}

/**
 * Compiles the table of a snapshot. Virtual hosts that `previous` holds as the identical object are taken over as they are; of changed ones, filters
 * whose configuration did not change are taken over with their state. With a delta at hand, `previous.with` spares looking at every key.
 */
export function compileTable(sections: Pick<Sections, 'listeners' | 'virtualHosts'>, previous?: RoutingTable): Compiled {
  const changes = previous?.changesTo(sections);
  if (previous !== undefined && changes !== undefined) return previous.with(changes);
  const all = new Map<string, CompiledVirtualHost>();
  for (const key of Object.keys(sections.virtualHosts)) {
    const virtualHost = sections.virtualHosts[key] as VirtualHost;
    const before = previous?.entry(key);
    all.set(key, before?.virtualHost === virtualHost ? before : compileVirtualHost(key, virtualHost, before));
  }
  const hosts = ShardedMap.empty<CompiledVirtualHost>().with(all);
  return indexed(hosts, all.size, Object.values(sections.listeners).map(({ name }) => name));
}

/** The table of compiled virtual hosts, indexed from nothing. */
function indexed(hosts: ShardedMap<CompiledVirtualHost>, size: number, listeners: readonly string[]): Compiled {
  const { indexes, errors } = buildIndexes(listeners, hosts);
  hosts.forEach((host) => errors.push(...errorsOf(host, indexes)));
  errors.sort((a, b) => (a.virtualHost < b.virtualHost ? -1 : a.virtualHost > b.virtualHost ? 1 : 0));
  return { table: new RoutingTable(hosts, size, indexes, errors.length > 0), errors };
}

function errorsOf(host: CompiledVirtualHost, indexes: Indexes): readonly CompileError[] {
  const unknown = host.virtualHost.listeners.filter((name) => !indexes.has(name));
  if (unknown.length === 0) return host.errors;
  return [...host.errors, ...unknown.map((name) => ({ virtualHost: host.key, route: '', message: `there is no listener ${JSON.stringify(name)}` }))];
}

/** Of two virtual hosts that claim one hostname on one listener, the one whose key sorts first has it, and the other one is an error. */
function buildIndexes(listeners: readonly string[], hosts: ShardedMap<CompiledVirtualHost>): { indexes: Indexes; errors: CompileError[] } {
  const errors: CompileError[] = [];
  const byListener = new Map(listeners.map((name) => [name, new Map<string, CompiledVirtualHost>()]));
  hosts.forEach((host) => {
    for (const listener of host.virtualHost.listeners) {
      const names = byListener.get(listener);
      const { hostname } = host.virtualHost;
      const there = names?.get(hostname);
      if (there !== undefined) {
        const loser = there.key < host.key ? host : there;
        errors.push({ virtualHost: loser.key, route: '', message: `another virtual host has ${hostname} on listener ${listener}` });
        if (loser === host) continue;
      }
      names?.set(hostname, host);
    }
  });
  const indexes = new Map([...byListener].map(([listener, names]) => [listener, HostIndex.empty<CompiledVirtualHost>().with(names)]));
  return { indexes, errors };
}

/** The indexes after a change; undefined: two virtual hosts now claim one hostname, and everything must be built anew. */
function changedIndexes(indexes: Indexes, before: ShardedMap<CompiledVirtualHost>, changes: ReadonlyMap<string, CompiledVirtualHost | undefined>): Indexes | undefined {
  const changed = new Map<string, Map<string, CompiledVirtualHost | undefined>>();
  const claim = (listener: string, hostname: string, host: CompiledVirtualHost | undefined): void => {
    const names = changed.get(listener) ?? new Map<string, CompiledVirtualHost | undefined>();
    changed.set(listener, names.set(hostname, host));
  };
  for (const key of changes.keys()) {
    const old = before.get(key)?.virtualHost;
    for (const listener of old?.listeners ?? []) claim(listener, old?.hostname ?? '', undefined);
  }
  for (const host of changes.values()) {
    if (host === undefined) continue;
    const { hostname, listeners } = host.virtualHost;
    for (const listener of listeners) {
      const names = changed.get(listener);
      const there = names?.has(hostname) === true ? names.get(hostname) : indexes.get(listener)?.at(hostname);
      if (there !== undefined) return undefined;
      claim(listener, hostname, host);
    }
  }
  const result = new Map(indexes);
  for (const [listener, names] of changed) {
    const index = indexes.get(listener);
    if (index !== undefined) result.set(listener, index.with(names));
  }
  return result;
}
