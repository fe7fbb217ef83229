// Who owns which field of an object: the bookkeeping of server-side apply, kept simple. A field is a leaf of the object's
// maps; a list is one leaf (the real server looks into lists that have keys).
// https://kubernetes.io/docs/reference/using-api/server-side-apply/
import { isMapping } from './json.ts';
import type { ApiObject, JsonObject, ManagedFields } from './json.ts';

/** Leaf paths as JSON arrays of keys, with the value there. */
export type Leaves = Map<string, unknown>;

const SERVERS_OWN = new Set(['["apiVersion"]', '["kind"]', ...['name', 'namespace', 'uid', 'resourceVersion', 'generation', 'creationTimestamp', 'generateName', 'selfLink'].map((field) => `["metadata","${field}"]`)]);

/** All leaves that somebody may own. */
export function leavesOf(object: ApiObject): Leaves {
  const leaves: Leaves = new Map();
  const walk = (value: unknown, path: readonly string[]): void => {
    if (isMapping(value) && (path.length === 0 || Object.keys(value).length > 0)) {
      for (const [key, child] of Object.entries(value)) if (!(path.length === 1 && path[0] === 'metadata' && key === 'managedFields')) walk(child, [...path, key]);
      return;
    }
    const name = JSON.stringify(path);
    if (!SERVERS_OWN.has(name)) leaves.set(name, value);
  };
  walk(object, []);
  return leaves;
}

export function pathsOf(entry: ManagedFields): Set<string> {
  const paths = new Set<string>();
  const walk = (fields: JsonObject, path: readonly string[]): void => {
    const keys = Object.keys(fields).filter((key) => key.startsWith('f:'));
    if (keys.length === 0) paths.add(JSON.stringify(path));
    for (const key of keys) walk(fields[key] as JsonObject, [...path, key.slice(2)]);
  };
  walk(entry.fieldsV1, []);
  return paths;
}

export function fieldsV1(paths: Iterable<string>): JsonObject {
  const root: JsonObject = {};
  for (const path of paths) {
    let node = root;
    for (const key of JSON.parse(path) as string[]) node = (node[`f:${key}`] ??= {}) as JsonObject;
  }
  return root;
}

export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export interface Writer {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly subresource: string;
  readonly apiVersion: string;
  readonly time: string;
}

/** The new entries after `writer` came to own `owned`; what it took from others is theirs no more, unless it shares it. */
export function recordWrite(before: readonly ManagedFields[], writer: Writer, owned: Set<string>, taken: Set<string>): ManagedFields[] {
  const entries: ManagedFields[] = [];
  for (const entry of before) {
    if (isBy(entry, writer)) continue;
    const left = new Set([...pathsOf(entry)].filter((path) => !taken.has(path)));
    if (left.size > 0) entries.push({ ...entry, fieldsV1: fieldsV1(left) });
  }
  if (owned.size === 0) return entries;
  const { manager, operation, subresource, apiVersion, time } = writer;
  return [...entries, { manager, operation, apiVersion, time, fieldsType: 'FieldsV1', fieldsV1: fieldsV1(owned), ...(subresource === '' ? {} : { subresource }) }];
}

export function isBy(entry: ManagedFields, writer: Writer): boolean {
  return entry.manager === writer.manager && entry.operation === writer.operation && (entry.subresource ?? '') === writer.subresource;
}
