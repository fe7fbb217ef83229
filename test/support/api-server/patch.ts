// Changes to objects: JSON merge patch (RFC 7396) and server-side apply.
import { conflict } from './failure.ts';
import { isBy, leavesOf, pathsOf, recordWrite, same } from './fields.ts';
import type { Writer } from './fields.ts';
import { copy, isMapping } from './json.ts';
import type { ApiObject, JsonObject } from './json.ts';

/** RFC 7396 §2. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isMapping(patch)) return patch;
  const result: JsonObject = isMapping(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

/** `live` as it becomes when `writer` updates it to `next`: the leaves that changed are the writer's from now on. */
export function trackUpdate(live: ApiObject | undefined, next: ApiObject, writer: Writer): ApiObject {
  const old = live === undefined ? new Map<string, unknown>() : leavesOf(live);
  const entries = live?.metadata.managedFields ?? [];
  const leaves = leavesOf(next);
  const changed = new Set([...leaves].filter(([path, value]) => !old.has(path) || !same(old.get(path), value)).map(([path]) => path));
  const gone = [...old.keys()].filter((path) => !leaves.has(path));
  if (live !== undefined && changed.size === 0 && gone.length === 0) return { ...next, metadata: { ...next.metadata, managedFields: entries } };
  const own = entries.filter((entry) => isBy(entry, writer)).flatMap((entry) => [...pathsOf(entry)]);
  const owned = new Set([...own, ...changed].filter((path) => leaves.has(path)));
  return { ...next, metadata: { ...next.metadata, managedFields: recordWrite(entries, writer, owned, new Set([...changed, ...gone])) } };
}

/**
 * Server-side apply: `live` (if there is one) with all leaves of `applied`, and without those that the writer applied before and no longer does.
 * Throws 409 where a leaf that differs belongs to another manager, unless forced.
 */
export function apply(live: ApiObject | undefined, applied: ApiObject, writer: Writer, force: boolean): ApiObject {
  const entries = live?.metadata.managedFields ?? [];
  const wanted = leavesOf(applied);
  const present = live === undefined ? new Map<string, unknown>() : leavesOf(live);
  const others = entries.filter((entry) => !isBy(entry, writer));
  const taken = new Set<string>();
  const conflicts: string[] = [];
  for (const [path, value] of wanted) {
    if (present.has(path) && same(present.get(path), value)) continue;
    taken.add(path);
    for (const entry of others) if (pathsOf(entry).has(path)) conflicts.push(`conflict with "${entry.manager}": ${dotted(path)}`);
  }
  if (conflicts.length > 0 && !force) throw conflict(`Apply failed with ${conflicts.length} conflict${conflicts.length > 1 ? 's' : ''}: ${conflicts.join(', ')}`);

  const next = live === undefined ? copy(applied) : (mergeMaps(live, applied) as ApiObject);
  const owned = new Set(wanted.keys());
  const foreign = new Set(others.flatMap((entry) => [...pathsOf(entry)]));
  for (const entry of entries.filter((each) => isBy(each, writer))) {
    for (const path of pathsOf(entry)) if (!owned.has(path) && !foreign.has(path)) removeAt(next, JSON.parse(path) as string[]);
  }
  next.metadata.managedFields = recordWrite(entries, writer, owned, taken);
  return next;
}

function mergeMaps(target: unknown, source: unknown): unknown {
  if (!isMapping(source)) return copy(source);
  const result: JsonObject = isMapping(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(source)) result[key] = mergeMaps(result[key], value);
  return result;
}

function removeAt(object: JsonObject, path: readonly string[]): void {
  const [key, ...rest] = path;
  if (key === undefined || !Object.hasOwn(object, key)) return;
  if (rest.length === 0) {
    delete object[key];
    return;
  }
  const child = object[key];
  if (!isMapping(child)) return;
  const changed = { ...child };
  removeAt(changed, rest);
  if (Object.keys(changed).length === 0) delete object[key];
  else object[key] = changed;
}

function dotted(path: string): string {
  return (JSON.parse(path) as string[]).map((key) => `.${key}`).join('');
}
