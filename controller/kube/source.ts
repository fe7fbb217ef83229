// The Kubernetes API as a source of objects: one reflector per kind (and per namespace, where only some are watched), those for
// the Secrets and ConfigMaps that somebody names, and all that they know in one KubeState.
import type { Origin } from '../../proxy/table/origin.ts';
import type { Problem } from '../model/problem.ts';
import { isForbidden, isNotFound } from './api-error.ts';
import { readArrived } from './arrived.ts';
import type { Arrived, IngressPoint } from './arrived.ts';
import type { KubeClient } from './client.ts';
import { Gate } from './gate.ts';
import { NamedObjects } from './named.ts';
import { NoteLog } from './notes.ts';
import type { KubeLog } from './notes.ts';
import type { Kind } from './objects.ts';
import { TIMINGS, backoffMs } from './pace.ts';
import type { Timings } from './pace.ts';
import { Reflector } from './reflector.ts';
import type { Note } from './reflector.ts';
import { describe, oneObject } from './resources.ts';
import type { Collection } from './resources.ts';
import { KubeStore } from './state.ts';
import type { Change, KubeState, Source } from './state.ts';
import { kindStats } from './stats.ts';
import type { KindStats } from './stats.ts';
import type { EntryChange } from './view.ts';
import { Wanted } from './wanted.ts';
import type { ObjectRef, References } from './wanted.ts';

export interface KubeSourceOptions {
  readonly client: KubeClient;
  readonly log: KubeLog;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  /** Labels of the Namespaces whose Ingresses count; empty: all. */
  readonly namespaceSelector: string;
  /** `auto`: EndpointSlices, unless the cluster does not have them. */
  readonly endpointsApi: 'auto' | 'endpointslices' | 'endpoints';
  /** `namespace/name` of Services that are needed whatever namespaces are watched. */
  readonly services: readonly string[];
  /** What flags name. */
  readonly named: readonly ObjectRef[];
  readonly references: References;
  readonly timings?: Timings;
  /** So many Secrets are watched by name at most, if all may be listed. */
  readonly mostByName?: number;
}

const MOST_BY_NAME = 100;
/** Notes with which Problems begin or end. */
const TELLS_PROBLEMS: ReadonlySet<Note['type']> = new Set<Note['type']>(['denied', 'allowed', 'shrunk', 'settled', 'failed']);
/** Kinds without which nothing is routed. Whoever may read none of one of them would take a table away that an earlier run has left, and put an empty one in its place. */
const NEEDED: ReadonlySet<Kind> = new Set<Kind>(['Ingress', 'Namespace', 'Service', 'EndpointSlice', 'Endpoints']);
const SERVICE_LABEL = 'kubernetes.io/service-name';

export class KubeSource implements Source {
  readonly #options: KubeSourceOptions;
  readonly #timings: Timings;
  readonly #store = new KubeStore();
  readonly #gate = new Gate();
  readonly #notes: NoteLog;
  readonly #abort = new AbortController();
  readonly #reflectors = new Set<Reflector<Arrived>>();
  readonly #named: NamedObjects;
  readonly #wanted: Wanted;
  /** Every Ingress that was read, whether its namespace counts or not. */
  readonly #ingresses = new Map<string, Arrived>();
  /** Namespaces that the selector selects; undefined: there is no selector. */
  readonly #selected: Set<string> | undefined;
  readonly #refused = new Map<string, Arrived>();
  #problems: readonly Problem[] | undefined;
  #onChange: ((changes: readonly Change[]) => void) | undefined;

  constructor(options: KubeSourceOptions) {
    this.#options = options;
    this.#timings = options.timings ?? TIMINGS;
    this.#notes = new NoteLog(options.log);
    this.#selected = options.namespaceSelector === '' ? undefined : new Set();
    this.#named = new NamedObjects({
      namespaces: options.namespaces,
      most: options.mostByName ?? MOST_BY_NAME,
      reflect: (collection, read, onChange, mayFail) => this.#start(this.#reflectorOf(collection, read, onChange, mayFail)),
      apply: (kind, changes) => this.#apply(kind, changes),
    });
    this.#wanted = new Wanted({ onWanted: (ref) => this.#named.follow(ref), onUnwanted: (ref) => this.#unfollow(ref) });
  }

  get state(): KubeState {
    return this.#store;
  }

  /** Resolves when every kind has been listed, or is known to be forbidden and not needed: as long as the API is away, it does not. */
  async start(onChange: (changes: readonly Change[]) => void): Promise<void> {
    const first = this.#collections().map((collection) => this.#reflect(collection));
    const all = this.#endpointsKind().then((kind) => [...first, ...this.#endpointCollections(kind).map((collection) => this.#reflect(collection))]);
    await all.then(readEnough).catch((error: unknown) => {
      if (!this.#abort.signal.aborted) throw error;
    });
    this.#wanted.set('flags', this.#options.named);
    if (!this.#abort.signal.aborted) await this.#named.begin();
    this.#onChange = onChange;
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('the source was stopped'));
    this.#onChange = undefined;
    await Promise.all([...[...this.#reflectors].map((reflector) => reflector.stop()), this.#named.stop()]);
  }

  problems(): readonly Problem[] {
    return (this.#problems ??= [...this.#apiProblems(), ...[...this.#refused.values()].flatMap(({ problems }) => problems)]);
  }

  /** Objects of the API stand in no file. */
  locate(): undefined {
    return undefined;
  }

  /** What the status of an Ingress says now; undefined: there is no such Ingress. */
  ingressStatus(key: string): readonly IngressPoint[] | undefined {
    return this.#ingresses.get(key)?.points;
  }

  /** Of an object that is known, be it refused; empty if it is not. */
  uidOf({ kind, namespace, name }: Origin): string {
    const key = `${namespace}/${name}`;
    const objects = new Map<string, ReadonlyMap<string, { readonly metadata: { readonly uid: string } }>>(Object.entries(this.#store.objects));
    return objects.get(kind)?.get(key)?.metadata.uid ?? this.#refused.get(`${kind} ${key}`)?.uid ?? '';
  }

  /** Per kind that is read. */
  stats(): readonly KindStats[] {
    return kindStats([...this.#reflectors, ...this.#named.reflectors()]);
  }

  /** All but endpoints. */
  #collections(): Collection[] {
    const { namespaces, namespaceSelector, services } = this.#options;
    const collections: Collection[] = [{ kind: 'IngressClass', namespace: '' }];
    if (namespaceSelector !== '') collections.push({ kind: 'Namespace', namespace: '', labelSelector: namespaceSelector });
    for (const namespace of scopes(namespaces)) collections.push({ kind: 'Ingress', namespace }, { kind: 'Service', namespace });
    for (const [namespace, name] of elsewhere(services, namespaces)) collections.push(oneObject('Service', namespace, name));
    return collections;
  }

  #endpointCollections(kind: 'EndpointSlice' | 'Endpoints'): Collection[] {
    const { namespaces, services } = this.#options;
    const collections: Collection[] = scopes(namespaces).map((namespace) => ({ kind, namespace }));
    for (const [namespace, name] of elsewhere(services, namespaces)) {
      collections.push(kind === 'Endpoints' ? oneObject(kind, namespace, name) : { kind, namespace, labelSelector: `${SERVICE_LABEL}=${name}` });
    }
    return collections;
  }

  async #endpointsKind(): Promise<'EndpointSlice' | 'Endpoints'> {
    const { endpointsApi, client } = this.#options;
    if (endpointsApi !== 'auto') return endpointsApi === 'endpoints' ? 'Endpoints' : 'EndpointSlice';
    for (let failures = 0; ; failures++) {
      try {
        await client.request({ path: '/apis/discovery.k8s.io/v1', signal: this.#abort.signal, timeoutMs: this.#timings.answerMs });
        return 'EndpointSlice';
      } catch (error) {
        if (isNotFound(error)) return 'Endpoints';
        // There are clusters that show what they have to administrators alone; all since 1.21 have EndpointSlices.
        if (isForbidden(error)) return 'EndpointSlice';
        await this.#gate.pass(backoffMs(failures, this.#timings, Math.random()), this.#abort.signal);
      }
    }
  }

  #reflect(collection: Collection): Reflector<Arrived> {
    const { kind } = collection;
    const reflector = this.#reflectorOf(collection, (raw, before) => readArrived(kind, raw, before), (changes) => this.#apply(kind, changes));
    this.#reflectors.add(reflector);
    return this.#start(reflector);
  }

  #start(reflector: Reflector<Arrived>): Reflector<Arrived> {
    reflector.start();
    return reflector;
  }

  #reflectorOf(collection: Collection, read: (raw: unknown, before: Arrived | undefined) => Arrived, onChange: (changes: readonly EntryChange<Arrived>[]) => void, mayFail = false): Reflector<Arrived> {
    return new Reflector<Arrived>({
      client: this.#options.client,
      collection,
      gate: this.#gate,
      timings: this.#timings,
      read,
      onChange,
      onNote: (note) => {
        if (mayFail && note.type === 'denied') return;
        this.#notes.write(collection, note);
        if (TELLS_PROBLEMS.has(note.type)) this.#emit([], true);
      },
    });
  }

  #unfollow({ kind, key }: ObjectRef): void {
    this.#named.unfollow({ kind, key });
    this.#refused.delete(`${kind} ${key}`);
    const change = this.#store.remove(kind, key);
    this.#emit(change === undefined ? [] : [change], true);
  }

  #apply(kind: Kind, changes: readonly EntryChange<Arrived>[]): void {
    const changed: Change[] = [];
    let problemsChanged = false;
    for (const { key, before, now } of changes) {
      if ((before?.problems.length ?? 0) + (now?.problems.length ?? 0) > 0) {
        problemsChanged = true;
        if (now === undefined || now.problems.length === 0) this.#refused.delete(`${kind} ${key}`);
        else this.#refused.set(`${kind} ${key}`, now);
      }
      if (kind === 'Ingress') {
        if (now === undefined) this.#ingresses.delete(key);
        else this.#ingresses.set(key, now);
      }
      if (kind === 'Namespace') changed.push(...this.#select(key.slice(1), now !== undefined));
      changed.push(...this.#put(kind, key, now));
    }
    this.#updateWanted(changed);
    this.#emit(changed, problemsChanged);
  }

  /** The object is as it arrived, gone, or out of view: what that changes in the state. */
  #put(kind: Kind, key: string, now: Arrived | undefined): Change[] {
    const seen = kind === 'Ingress' && !this.#counts(key) ? undefined : now;
    const change = this.#change(kind, key, seen);
    return change === undefined ? [] : [change];
  }

  #change(kind: Kind, key: string, now: Arrived | undefined): Change | undefined {
    if (now?.object !== undefined) return now.object === this.#store.objects[kind].get(key) ? undefined : this.#store.put(now.object);
    return now === undefined || now.problems.length === 0 ? this.#store.remove(kind, key) : this.#store.refuse(kind, key, now.problems, now.remains);
  }

  #counts(ingressKey: string): boolean {
    return this.#selected === undefined || this.#selected.has(ingressKey.slice(0, ingressKey.indexOf('/')));
  }

  /** A namespace entered or left the selection. */
  #select(namespace: string, selected: boolean): Change[] {
    if (this.#selected === undefined || this.#selected.has(namespace) === selected) return [];
    if (selected) this.#selected.add(namespace);
    else this.#selected.delete(namespace);
    return [...this.#ingresses].filter(([key]) => key.startsWith(`${namespace}/`)).flatMap(([key, arrived]) => this.#put('Ingress', key, arrived));
  }

  #updateWanted(changed: readonly Change[]): void {
    const { Ingress } = this.#store.objects;
    const all = changed.some(({ kind }) => kind === 'IngressClass');
    const keys = all ? Ingress.keys() : changed.filter(({ kind }) => kind === 'Ingress').map(({ key }) => key);
    for (const key of new Set(keys)) {
      const ingress = Ingress.get(key);
      this.#wanted.set(`Ingress ${key}`, ingress === undefined ? [] : this.#options.references(ingress, this.#store));
    }
    if (all) for (const { kind, key } of changed) if (kind === 'Ingress' && !Ingress.has(key)) this.#wanted.set(`Ingress ${key}`, []);
  }

  #emit(changed: readonly Change[], problemsChanged: boolean): void {
    if (problemsChanged) this.#problems = undefined;
    if (changed.length > 0 || problemsChanged) this.#onChange?.(changed);
  }

  /** What is wrong with what the API gives, whatever the objects are like. */
  #apiProblems(): Problem[] {
    return [...this.#reflectors, ...this.#named.reflectors()].flatMap(({ collection, stats: { denied, doubt } }): Problem[] => {
      const origin = { kind: 'API', namespace: collection.namespace, name: describe({ kind: collection.kind, namespace: '' }) };
      return [
        ...(denied === '' ? [] : [{ severity: 'error', reason: 'Forbidden', origin, effect: 'None', message: `${describe(collection)} cannot be read: ${denied}`, hint: 'Give the ServiceAccount the rights to get, list and watch them; what was read before stays in force.' } as const]),
        ...(doubt === '' ? [] : [{ severity: 'warning', reason: 'ListDoubted', origin, effect: 'None', message: `${describe(collection)}: ${doubt}`, hint: 'What was read before stays in force until a second list says the same.' } as const]),
      ];
    });
  }
}

/** Resolves when all have been read as far as they may be, and something of every kind that is needed has. */
async function readEnough(reflectors: readonly Reflector<Arrived>[]): Promise<void> {
  await Promise.all(reflectors.map(({ synced }) => synced));
  const needed = Map.groupBy(reflectors.filter(({ collection }) => NEEDED.has(collection.kind)), ({ collection }) => collection.kind);
  await Promise.all([...needed.values()].map((ofKind) => Promise.race(ofKind.map(({ listed }) => listed))));
}

function scopes(namespaces: readonly string[]): readonly string[] {
  return namespaces.length === 0 ? [''] : namespaces;
}

/** Those of the keys that are in none of the watched namespaces, as pairs. */
function elsewhere(keys: readonly string[], namespaces: readonly string[]): [namespace: string, name: string][] {
  return [...new Set(keys)].map((key): [string, string] => [key.slice(0, key.indexOf('/')), key.slice(key.indexOf('/') + 1)]).filter(([namespace]) => namespaces.length > 0 && !namespaces.includes(namespace));
}
