// Keeps one collection of the API in a View for as long as the process lives, whatever the server does: lists, watches,
// resumes, and relists when it must. What it knows stays in force until something better is complete. Which step follows
// which ending is decided in pace.ts; here it is carried out.
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { ApiError, apiError, errorText, isExpired } from './api-error.ts';
import type { KubeClient } from './client.ts';
import type { Gate } from './gate.ts';
import { sleep } from './gate.ts';
import { LineSplitter } from './lines.ts';
import { identify, listAll, selectorsOf } from './list.ts';
import { needsConfirmation, plan } from './pace.ts';
import type { Ending, Plan, Timings } from './pace.ts';
import { collectionPath } from './resources.ts';
import type { Collection } from './resources.ts';
import { isOlder } from './version.ts';
import { View } from './view.ts';
import type { Entry, EntryChange, EventType } from './view.ts';

/** How long events are read without a break, in milliseconds. */
const SLICE_MS = 10;

export interface ReflectorOptions<T> {
  readonly client: KubeClient;
  readonly collection: Collection;
  readonly gate: Gate;
  readonly timings: Timings;
  /** Makes of a raw object whatever is to be kept of it. `before`: what it is now, if it is known. */
  read(raw: unknown, before: T | undefined): T;
  /** All that changed at once, after it is in the view. */
  onChange(changes: readonly EntryChange<T>[]): void;
  /** Something that an operator may want to know, once each time. */
  onNote(note: Note): void;
}

export interface Note {
  readonly type: 'failed' | 'denied' | 'allowed' | 'relist' | 'shrunk' | 'settled' | 'reverted' | 'bug';
  readonly text: string;
}

/** Counts since the start. */
export interface ReflectorStats {
  readonly objects: number;
  readonly lists: number;
  readonly watches: number;
  /** Watches that did not end as agreed. */
  readonly failures: number;
  /** Events and list items that were no objects, or of no use. */
  readonly skipped: number;
  /** Lists that lacked so much that they had to be confirmed. */
  readonly doubted: number;
  /** `performance.now()` when the view was last known to be current; undefined: never yet. */
  readonly freshAt: number | undefined;
  /** Why it may not be read; empty: it may. */
  readonly denied: string;
  /** What is wrong with a list that waits to be confirmed; empty: none does. */
  readonly doubt: string;
}

/** A complete list. */
interface Found<T> {
  readonly list: Map<string, Entry<T>>;
  readonly version: string;
}

export class Reflector<T> {
  readonly collection: Collection;
  readonly view = new View<T>();
  /** Resolves when the first list is complete, or is known to be forbidden. */
  readonly synced: Promise<void>;
  /** Resolves when the first list is complete. */
  readonly listed: Promise<void>;
  readonly #options: ReflectorOptions<T>;
  readonly #abort = new AbortController();
  #resolveSynced: () => void = () => undefined;
  #resolveListed: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  #listedAt: number | undefined;
  /** The connection was lost since then. */
  #suspect = false;
  /** Since when the watch under way has been answered. */
  #streamingSince: number | undefined;
  #stats = { lists: 0, watches: 0, failures: 0, skipped: 0, doubted: 0, freshAt: undefined as number | undefined, denied: '', doubt: '' };

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.collection = options.collection;
    this.synced = new Promise((resolve) => (this.#resolveSynced = resolve));
    this.listed = new Promise((resolve) => (this.#resolveListed = resolve));
  }

  get stats(): ReflectorStats {
    return { ...this.#stats, objects: this.view.size };
  }

  start(): void {
    this.#running = this.#run().catch((error: unknown) => {
      if (!this.#abort.signal.aborted) throw error;
    });
  }

  /** Resolves when nothing of it is under way any more. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { gate, timings } = this.#options;
    let step: Plan = { next: 'list', waitMs: 0, failures: 0 };
    for (;;) {
      await gate.pass(step.waitMs, this.#abort.signal);
      const ending = await this.#carryOut(step.next);
      this.#abort.signal.throwIfAborted();
      this.#account(ending);
      const sinceListMs = this.#listedAt === undefined ? Number.POSITIVE_INFINITY : performance.now() - this.#listedAt;
      step = plan(ending, { failures: step.failures, sinceListMs, suspect: this.#suspect }, timings, Math.random());
    }
  }

  async #carryOut(next: Plan['next']): Promise<Ending> {
    this.#streamingSince = undefined;
    try {
      if (next === 'list') return await this.#list();
      if (next === 'probe') return await this.#probe();
      return await this.#watch();
    } catch (error) {
      return this.#ending(error, next, this.#streamingSince === undefined ? 0 : performance.now() - this.#streamingSince);
    }
  }

  #ending(error: unknown, of: Plan['next'], hadLivedMs: number): Ending {
    if (this.#abort.signal.aborted) return { type: 'failed', retryAfterMs: undefined, hadLivedMs };
    // A list asks for no version that could have expired: where it is told so, another one at once would be, too.
    if (isExpired(error) && of === 'watch') return { type: 'expired' };
    if (error instanceof GarbledLine) {
      this.#note('relist', errorText(error));
      return { type: 'garbled' };
    }
    if (error instanceof ApiError && (error.status === 403 || error.status === 404)) {
      this.#stats.denied = errorText(error);
      this.#note('denied', this.#stats.denied);
      this.#resolveSynced();
      return { type: 'denied' };
    }
    const retryAfterMs = error instanceof ApiError ? error.retryAfterMs : undefined;
    if (retryAfterMs !== undefined) this.#options.gate.close(Math.min(retryAfterMs, this.#options.timings.maxRetryAfterMs));
    this.#note('failed', errorText(error));
    return { type: 'failed', retryAfterMs, hadLivedMs };
  }

  #account(ending: Ending): void {
    if (ending.type === 'failed' || ending.type === 'garbled' || ending.type === 'expired') this.#stats.failures++;
    if (ending.type === 'failed') this.#suspect = true;
    if (ending.type === 'done' && this.#stats.denied !== '') {
      this.#stats.denied = '';
      this.#note('allowed', '');
    }
  }

  async #list(): Promise<Ending> {
    let found = await this.#fetchAll(true);
    const missing = this.view.missing(found.list);
    if (needsConfirmation(this.view.size, missing)) found = await this.#confirm(missing);
    if (isOlder(found.version, this.view.version)) {
      this.#note('reverted', `the server went back from version ${this.view.version} to ${found.version}`);
      // Versions were given out a second time: the same one no longer means the same object.
      found = await this.#fetchAll(false);
    }
    this.#listedAt = performance.now();
    this.#suspect = false;
    this.#stats.freshAt = this.#listedAt;
    this.#emit(this.view.replace(found.list, found.version));
    this.#resolveSynced();
    this.#resolveListed();
    return { type: 'done' };
  }

  /** The list that counts in place of one that lacks so much. */
  async #confirm(missing: number): Promise<Found<T>> {
    this.#stats.doubted++;
    this.#stats.doubt = `a list lacks ${missing} of ${this.view.size} objects`;
    this.#note('shrunk', this.#stats.doubt);
    try {
      await sleep(this.#options.timings.confirmMs, this.#abort.signal);
      const found = await this.#fetchAll(true);
      this.#stats.doubt = '';
      this.#note('settled', `the second list lacks ${this.view.missing(found.list)} of ${this.view.size} objects`);
      return found;
    } finally {
      this.#stats.doubt = '';
    }
  }

  async #fetchAll(reuse: boolean): Promise<Found<T>> {
    const { client, read } = this.#options;
    let list = new Map<string, Entry<T>>();
    this.#stats.lists++;
    const restart = (): void => void (list = new Map());
    const version = await listAll(client, this.collection, this.#abort.signal, restart, (raw) => {
      const id = identify(this.collection.kind, raw);
      if (id === undefined) return void this.#stats.skipped++;
      const known = this.view.get(id.key);
      list.set(id.key, (reuse ? this.view.unchanged(id.key, id.uid, id.version) : undefined) ?? { uid: id.uid, version: id.version, value: read(raw, known?.value) });
    });
    return { list, version };
  }

  /** Asks for one object, to see the collection's version. */
  async #probe(): Promise<Ending> {
    const { client, timings } = this.#options;
    const { kind, namespace } = this.collection;
    const answer = await client.request({ path: collectionPath(kind, namespace), query: { ...selectorsOf(this.collection), limit: '1' }, signal: this.#abort.signal, timeoutMs: timings.answerMs });
    const version = (answer as { metadata?: { resourceVersion?: unknown } } | undefined)?.metadata?.resourceVersion;
    return typeof version === 'string' && isOlder(version, this.view.version) ? { type: 'reverted' } : { type: 'done' };
  }

  async #watch(): Promise<Ending> {
    const { client, timings } = this.#options;
    const { kind, namespace } = this.collection;
    const [shortest, longest] = timings.watchMs;
    const timeoutSeconds = Math.max(1, Math.round((shortest + (longest - shortest) * Math.random()) / 1000));
    const query = { ...selectorsOf(this.collection), watch: '1', allowWatchBookmarks: 'true', resourceVersion: this.view.version, timeoutSeconds: String(timeoutSeconds) };
    const request = { path: collectionPath(kind, namespace), query, signal: this.#abort.signal, timeoutMs: timings.answerMs };
    const { chunks } = await client.stream(request, timeoutSeconds * 1000 + timings.silenceMs);
    const startedAt = performance.now();
    this.#streamingSince = startedAt;
    this.#stats.watches++;
    const lines = new LineSplitter();
    let heard = false;
    let lastBreak = performance.now();
    for await (const chunk of chunks) {
      const complete = splitLines(lines, chunk);
      heard ||= complete.length > 0;
      this.#readLines(complete);
      if (performance.now() - lastBreak > SLICE_MS) {
        await yieldToOthers();
        lastBreak = performance.now();
      }
    }
    if (lines.pending > 0) throw new Error('the watch ended within a line');
    this.#stats.freshAt = performance.now();
    return { type: 'ended', livedMs: performance.now() - startedAt, heard };
  }

  /** What was understood before an error is in force, too. */
  #readLines(lines: readonly string[]): void {
    const changes: EntryChange<T>[] = [];
    try {
      for (const line of lines) {
        const change = this.#readLine(line);
        if (change !== undefined) changes.push(change);
      }
    } finally {
      this.#emit(changes);
    }
  }

  #readLine(line: string): EntryChange<T> | undefined {
    const { type, object } = parseLine(line);
    if (type === 'ERROR') {
      const code = (object as { code?: unknown } | null | undefined)?.code;
      throw apiError(typeof code === 'number' ? code : 500, object);
    }
    this.#stats.freshAt = performance.now();
    if (type === 'BOOKMARK') {
      const version = (object as { metadata?: { resourceVersion?: unknown } } | null | undefined)?.metadata?.resourceVersion;
      if (typeof version === 'string' && version !== '') this.view.bookmark(version);
      return undefined;
    }
    const id = isEventType(type) ? identify(this.collection.kind, object) : undefined;
    if (id === undefined || id.version === '') {
      this.#stats.skipped++;
      return undefined;
    }
    const before = this.view.get(id.key)?.value;
    return this.view.event(type as EventType, id.key, id.uid, id.version, () => this.#options.read(object, before));
  }

  #emit(changes: readonly EntryChange<T>[]): void {
    if (changes.length === 0 || this.#abort.signal.aborted) return;
    try {
      this.#options.onChange(changes);
    } catch (error) {
      this.#note('bug', errorText(error));
    }
  }

  #note(type: Note['type'], text: string): void {
    this.#options.onNote({ type, text });
  }
}

class GarbledLine extends Error {}

function splitLines(lines: LineSplitter, chunk: Buffer): string[] {
  try {
    return lines.push(chunk);
  } catch (error) {
    throw new GarbledLine(errorText(error));
  }
}

function parseLine(line: string): { readonly type: unknown; readonly object: unknown } {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null && 'type' in value) return { type: value.type, object: 'object' in value ? value.object : undefined };
  } catch {
    // The text of the error would quote the line.
  }
  throw new GarbledLine(`a watch sent ${line.length} characters that are no event`);
}

function isEventType(type: unknown): type is EventType {
  return type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED';
}
