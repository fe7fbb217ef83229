// KubeState: every object that Fairlead knows, by kind and `namespace/name`, whatever its source (the API or a folder).
// It is written by the source alone; readers get read-only maps and the keys that changed since they last looked.
import type { Problem } from '../model/problem.ts';
import type { Origin } from '../../proxy/table/origin.ts';
import { objectKey } from './objects.ts';
import type { Ingress, Kind, KubeObject, ObjectOf, Refused } from './objects.ts';

export const KINDS: readonly Kind[] = ['Ingress', 'IngressClass', 'Service', 'EndpointSlice', 'Endpoints', 'Secret', 'ConfigMap', 'Namespace'];

/** Read side. Maps are keyed by `objectKey`. */
export interface KubeState {
  readonly objects: { readonly [K in Kind]: ReadonlyMap<string, ObjectOf<K>> };
  /** Keyed likewise; nothing is in both. */
  readonly refused: { readonly [K in Kind]: ReadonlyMap<string, Refused> };
}

/** One object that appeared, changed, was refused, or went. */
export interface Change {
  readonly kind: Kind;
  readonly key: string;
}

/** Where the objects come from: a folder (files.ts) or the Kubernetes API (reflector). */
export interface Source {
  readonly state: KubeState;
  /** What is wrong with the input itself: files that do not parse, objects that do not decode, kinds that may not be listed. */
  problems(): readonly Problem[];
  /** Where an object (and the field in it) was written; undefined where the source has no files. Line counts from 1. */
  locate(origin: Origin): { readonly file: string; readonly line: number } | undefined;
  /** Resolves once the state is complete for the first time; `onChange` is called after every later change, with all that changed at once; with an empty list where only `problems()` changed. */
  start(onChange: (changes: readonly Change[]) => void): Promise<void>;
  stop(): Promise<void>;
}

/** Write side, for sources. */
export class KubeStore implements KubeState {
  readonly objects: { readonly [K in Kind]: Map<string, ObjectOf<K>> } = {
    Ingress: new Map(),
    IngressClass: new Map(),
    Service: new Map(),
    EndpointSlice: new Map(),
    Endpoints: new Map(),
    Secret: new Map(),
    ConfigMap: new Map(),
    Namespace: new Map(),
  };
  readonly refused = Object.fromEntries(KINDS.map((kind) => [kind, new Map()])) as { readonly [K in Kind]: Map<string, Refused> };

  /** Adds or replaces. */
  put(object: KubeObject): Change {
    const key = objectKey(object.metadata);
    this.refused[object.kind].delete(key);
    (this.objects[object.kind] as Map<string, KubeObject>).set(key, object);
    return { kind: object.kind, key };
  }

  /** It is there, and `problems` (at least one) are why there is no version of it to go on with. Undefined: that was known. */
  refuse(kind: Kind, key: string, problems: readonly Problem[], remains?: Ingress): Change | undefined {
    const [{ origin: { field }, message }] = problems as readonly [Problem];
    const refused = field === undefined ? message : `${field}: ${message}`;
    const before = this.refused[kind].get(key);
    const known = before?.refused === refused && before.remains === remains;
    this.refused[kind].set(key, { refused, ...(remains !== undefined && { remains }) });
    return this.objects[kind].delete(key) || !known ? { kind, key } : undefined;
  }

  /** Undefined: there was no such object. */
  remove(kind: Kind, key: string): Change | undefined {
    const there = [this.objects[kind].delete(key), this.refused[kind].delete(key)];
    return there.includes(true) ? { kind, key } : undefined;
  }
}
