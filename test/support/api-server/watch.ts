// One watch: the events since a revision, then whatever happens, as one JSON object per line; bookmarks in between; a clean
// end when its time is over. https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
import type { ServerResponse } from 'node:http';
import { ApiFailure, expired } from './failure.ts';
import type { WatchFault } from './faults.ts';
import type { Selector } from './selectors.ts';
import type { Store, StoreEvent } from './store.ts';
import { apiVersionOf, resourceKey } from './resources.ts';
import type { ResourceType } from './resources.ts';

export interface WatchRequest {
  readonly type: ResourceType;
  readonly namespace: string;
  readonly selector: Selector;
  /** Empty and `0`: begin with an ADDED event for everything that there is. */
  readonly resourceVersion: string;
  readonly bookmarks: boolean;
  readonly timeoutMs: number;
  readonly bookmarkEveryMs: number;
  readonly fault: WatchFault | undefined;
}

/** Answers with the watch until its time is over or the client leaves. `onEnd` is called once, `reset` to cut the connection. Throws 410 before anything is sent. */
export function serveWatch(store: Store, request: WatchRequest, response: ServerResponse, onEnd: () => void, reset: () => void): { stop(): void } {
  const resource = resourceKey(request.type);
  const fromStart = request.resourceVersion === '' || request.resourceVersion === '0';
  const since = fromStart ? store.revision : Number(request.resourceVersion);
  const past = fromStart ? [] : store.eventsAfter(resource, since);
  const initial = fromStart ? store.list(resource, request.namespace).filter(({ object }) => request.selector(object)) : [];

  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' });
  response.flushHeaders();
  const out = new Lines(response, request.fault, reset);
  if (request.fault?.type === 'goneEvent') out.error(expired(`too old resource version: ${request.resourceVersion} (${store.revision})`));
  if (request.fault?.type === 'endsAtOnce') out.close();

  for (const { json } of initial) out.event('ADDED', json);
  const send = (event: StoreEvent): void => {
    // A version from the future (of before a restore) hears nothing until the present has caught up: as the watch cache does it.
    if (event.revision <= since) return;
    const line = asSeenBy(request, event);
    if (line !== undefined) out.event(line, event.now.json);
  };
  for (const event of past) send(event);
  const unsubscribe = store.subscribe(resource, send);

  const bookmark = (): void => {
    if (request.bookmarks && store.revision >= since) out.bookmark(`{"kind":"${request.type.kind}","apiVersion":"${apiVersionOf(request.type)}","metadata":{"resourceVersion":"${store.revision}","creationTimestamp":null}}`);
  };
  const bookmarks = setInterval(bookmark, request.bookmarkEveryMs);
  const timeout = setTimeout(() => {
    bookmark();
    out.close();
  }, request.timeoutMs);
  const stop = (): void => {
    clearInterval(bookmarks);
    clearTimeout(timeout);
    unsubscribe();
    onEnd();
  };
  response.once('close', stop);
  return { stop: () => response.destroy() };
}

/** The event's type for a watcher who sees only what its selector selects; undefined: it sees nothing of this. */
function asSeenBy({ namespace, selector }: WatchRequest, { type, key, before, now }: StoreEvent): StoreEvent['type'] | undefined {
  if (namespace !== '' && !key.startsWith(`${namespace}/`)) return undefined;
  const was = before !== undefined && selector(before.object);
  if (type === 'DELETED') return was ? 'DELETED' : undefined;
  const is = selector(now.object);
  if (is) return was ? 'MODIFIED' : 'ADDED';
  return was ? 'DELETED' : undefined;
}

/** The lines of one answer, and what a fault makes of them. */
class Lines {
  readonly #response: ServerResponse;
  readonly #fault: WatchFault | undefined;
  readonly #reset: () => void;
  #sent = 0;
  #dead = false;
  #held: string[] = [];

  constructor(response: ServerResponse, fault: WatchFault | undefined, reset: () => void) {
    this.#response = response;
    this.#fault = fault;
    this.#reset = reset;
  }

  event(type: string, json: string): void {
    if (this.#fault?.type === 'bookmarksOnly') return;
    this.#strikeIfDue();
    if (this.#dead) return;
    this.#sent++;
    const line = `{"type":"${type}","object":${json}}\n`;
    if (this.#fault?.type === 'duplicate') this.#response.write(line + line);
    else if (this.#fault?.type === 'reverse') this.#hold(line, this.#fault.size);
    else this.#response.write(line);
  }

  bookmark(object: string): void {
    if (this.#dead) return;
    // A bookmark promises that everything up to its version has been sent.
    this.#flush();
    this.#response.write(`{"type":"BOOKMARK","object":${object}}\n`);
  }

  error(failure: ApiFailure): void {
    if (this.#dead) return;
    this.#response.write(`{"type":"ERROR","object":${JSON.stringify(failure.status())}}\n`);
    this.close();
  }

  close(): void {
    if (this.#dead) return;
    this.#flush();
    this.#dead = true;
    this.#response.end();
  }

  #strikeIfDue(): void {
    const fault = this.#fault;
    if (this.#dead || fault === undefined || !('after' in fault) || this.#sent < fault.after) return;
    if (fault.type === 'badLine') {
      this.#response.write('{"type":"MODIFIED","object":{"kind":"Ing\n');
      this.#sent = Number.NEGATIVE_INFINITY;
      return;
    }
    if (fault.type === 'errorEvent') return this.error(new ApiFailure(fault.code, 'InternalError', 'an error was commanded'));
    this.#dead = true;
    if (fault.type === 'resetWatch') this.#reset();
  }

  #hold(line: string, size: number): void {
    this.#held.push(line);
    if (this.#held.length >= size) this.#flush();
  }

  #flush(): void {
    if (this.#held.length > 0) this.#response.write(this.#held.reverse().join(''));
    this.#held = [];
  }
}
