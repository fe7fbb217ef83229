// A whole collection, page by page, with room for other work between the pages and inside them: 10,000 objects stop the
// event loop for no more than some milliseconds at a time. Whatever is not complete is an error and never a short list.
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { isExpired } from './api-error.ts';
import type { KubeClient } from './client.ts';
import { objectKey } from './objects.ts';
import { collectionPath, isNamespaced } from './resources.ts';
import type { Collection } from './resources.ts';

/** Size of a page that parses in a few milliseconds. */
const PAGE_BYTES = 512 * 1024;
const FIRST_PAGE = 100;
const MIN_PAGE = 10;
const MAX_PAGE = 1000;
/** Longest time that items are read without a break, in milliseconds. */
const SLICE_MS = 5;

/** What identifies an object and its version, before anything else of it is read. */
export interface Identified {
  readonly key: string;
  readonly uid: string;
  readonly version: string;
}

/** Undefined: this is no object that can be told from others, and it is skipped. */
export function identify(kind: Collection['kind'], raw: unknown): Identified | undefined {
  const metadata = mapping(mapping(raw)?.metadata);
  const name = metadata?.name;
  const namespace = isNamespaced(kind) ? metadata?.namespace : '';
  if (typeof name !== 'string' || name === '' || typeof namespace !== 'string') return undefined;
  const { uid, resourceVersion } = metadata ?? {};
  return { key: objectKey({ namespace, name }), uid: typeof uid === 'string' ? uid : '', version: typeof resourceVersion === 'string' ? resourceVersion : '' };
}

/** Query parameters that narrow a list or watch to the collection. */
export function selectorsOf({ labelSelector, fieldSelector }: Collection): Record<string, string> {
  return { ...(labelSelector === undefined ? {} : { labelSelector }), ...(fieldSelector === undefined ? {} : { fieldSelector }) };
}

/**
 * Calls `each` for every item and returns the list's version. `restart` is called before the first item, and again when the list had to begin anew
 * because it took too long for the server. Throws what the client throws, and TypeError if an answer is no list.
 */
export async function listAll(client: KubeClient, collection: Collection, signal: AbortSignal, restart: () => void, each: (raw: unknown) => void): Promise<string> {
  try {
    return await listPages(client, collection, signal, FIRST_PAGE, restart, each);
  } catch (error) {
    if (!isExpired(error)) throw error;
    return await listPages(client, collection, signal, 0, restart, each);
  }
}

/** `limit` 0: all in one answer. */
async function listPages(client: KubeClient, collection: Collection, signal: AbortSignal, firstLimit: number, restart: () => void, each: (raw: unknown) => void): Promise<string> {
  restart();
  const path = collectionPath(collection.kind, collection.namespace);
  let limit = firstLimit;
  let token = '';
  for (;;) {
    const query = { ...selectorsOf(collection), ...(limit === 0 ? {} : { limit: String(limit) }), ...(token === '' ? {} : { continue: token }) };
    const { body, bytes } = await client.requestSized({ path, query, signal });
    const page = mapping(body);
    const metadata = mapping(page?.metadata);
    const items = page?.items ?? [];
    if (typeof metadata?.resourceVersion !== 'string' || !Array.isArray(items)) throw new TypeError(`the answer to ${path} is no list`);
    await readItems(items, each);
    if (typeof metadata.continue !== 'string' || metadata.continue === '') return metadata.resourceVersion;
    token = metadata.continue;
    if (limit > 0) limit = Math.max(MIN_PAGE, Math.min(MAX_PAGE, Math.round((items.length * PAGE_BYTES) / Math.max(1, bytes))));
  }
}

async function readItems(items: readonly unknown[], each: (raw: unknown) => void): Promise<void> {
  await yieldToOthers();
  let since = performance.now();
  for (const item of items) {
    each(item);
    if (performance.now() - since < SLICE_MS) continue;
    await yieldToOthers();
    since = performance.now();
  }
}

function mapping(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}
