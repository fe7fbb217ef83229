// Answers requests: who asks and may, the faults that were ordered for the request, the operation on the store, the answer.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Access, User, Verb } from './access.ts';
import { discovery } from './discovery.ts';
import { ApiFailure, badRequest, notFound } from './failure.ts';
import type { FaultAction, Faults, WatchFault } from './faults.ts';
import type { ApiObject } from './json.ts';
import type { Page, Pages } from './pages.ts';
import { contentType, notAllowed, readBody, readOperation, whole } from './requests.ts';
import type { Operation } from './requests.ts';
import { apiVersionOf, resourceKey } from './resources.ts';
import type { ResourceType } from './resources.ts';
import { parseSelectors } from './selectors.ts';
import type { Store } from './store.ts';
import { asTable } from './table.ts';
import { serveWatch } from './watch.ts';
import type { Writes } from './writes.ts';

export interface Parts {
  readonly store: Store;
  readonly writes: Writes;
  readonly pages: Pages;
  readonly access: Access;
  readonly faults: Faults;
  /** Plurals of resources that this server does not have. */
  readonly hidden: Set<string>;
  bookmarkEveryMs: number;
  /** Resets the connection that comes from this port. */
  reset(port: number | undefined): void;
}

/** A request as the log of the server keeps it. */
export interface Seen {
  /** `performance.now()`. */
  readonly at: number;
  readonly verb: Verb;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
  readonly user: string;
  readonly query: URLSearchParams;
}

export class Handler {
  readonly #parts: Parts;
  readonly #onSeen: (seen: Seen) => void;
  readonly #watches = new Set<{ stop(): void }>();

  constructor(parts: Parts, onSeen: (seen: Seen) => void) {
    this.#parts = parts;
    this.#onSeen = onSeen;
  }

  /** Open watches. */
  get watches(): number {
    return this.#watches.size;
  }

  stopWatches(): void {
    for (const watch of this.#watches) watch.stop();
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#serve(request, response);
    } catch (error) {
      if (response.headersSent || response.destroyed) return void response.destroy();
      const failure = error instanceof ApiFailure ? error : new ApiFailure(500, 'InternalError', String(error));
      if (failure.retryAfterSeconds !== undefined) response.setHeader('retry-after', String(failure.retryAfterSeconds));
      sendJson(response, failure.code, JSON.stringify(failure.status()));
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://server');
    if (['/healthz', '/livez', '/readyz'].includes(url.pathname)) return void response.end('ok');
    const user = this.#parts.access.authenticate(request.headers.authorization);
    const document = request.method === 'GET' ? discovery(url.pathname, this.#parts.hidden) : undefined;
    if (document !== undefined) {
      this.#parts.access.authorizeDiscovery(user, url.pathname);
      return sendJson(response, 200, JSON.stringify(document));
    }

    const operation = readOperation(request, url, this.#parts.hidden);
    const { verb, type, subresource, namespace, name, narrowedTo, query } = operation;
    this.#onSeen({ at: performance.now(), verb, resource: type.plural, namespace, name: name || narrowedTo, subresource, user: user.name, query });
    const fault = this.#parts.faults.strike(verb, type.plural, user.name);
    if (fault?.type === 'hang') return;
    if (fault?.type === 'reset') return this.#parts.reset(request.socket.remotePort);
    if (fault?.type === 'status') throw new ApiFailure(fault.code, fault.code === 410 ? 'Expired' : fault.code === 429 ? 'TooManyRequests' : 'InternalError', 'this was commanded', fault.retryAfterSeconds);
    this.#parts.access.authorize(user, { verb, type, subresource, namespace, name: name || narrowedTo });
    if (verb === 'watch') return this.#watch(operation, response, fault);
    if (verb === 'list') return this.#list(operation, request, response, fault);
    await this.#single(operation, user, request, response);
  }

  #watch({ type, namespace, query }: Operation, response: ServerResponse, fault: FaultAction | undefined): void {
    const resourceVersion = query.get('resourceVersion') ?? '';
    if (resourceVersion !== '' && !/^\d+$/.test(resourceVersion)) throw badRequest(`invalid resource version "${resourceVersion}"`);
    if (query.get('sendInitialEvents') !== null) throw new ApiFailure(422, 'Invalid', 'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled');
    const timeoutSeconds = whole(query, 'timeoutSeconds') || 1800;
    const watch: { stop(): void } = serveWatch(this.#parts.store, {
      type,
      namespace,
      resourceVersion,
      selector: parseSelectors(type, query.get('labelSelector') ?? '', query.get('fieldSelector') ?? ''),
      bookmarks: query.get('allowWatchBookmarks') === 'true' || query.get('allowWatchBookmarks') === '1',
      timeoutMs: timeoutSeconds * 1000,
      bookmarkEveryMs: this.#parts.bookmarkEveryMs,
      fault: fault as WatchFault | undefined,
    }, response, () => this.#watches.delete(watch), () => this.#parts.reset(response.socket?.remotePort));
    this.#watches.add(watch);
  }

  #list({ type, namespace, query }: Operation, request: IncomingMessage, response: ServerResponse, fault: FaultAction | undefined): void {
    const { items, revision, next, remaining } = this.#page(type, namespace, query);
    const shown = fault?.type === 'shortList' ? items.slice(0, fault.keep) : items;
    const more = fault?.type === 'shortList' || next === '' ? {} : { continue: next, remainingItemCount: remaining };
    const head = `{"kind":"${type.kind}List","apiVersion":"${apiVersionOf(type)}","metadata":${JSON.stringify({ resourceVersion: String(revision), ...more })},"items":[`;
    const accept = request.headers.accept ?? '';
    const body = accept.includes('as=Table')
      ? JSON.stringify(asTable(type.kind, shown.map(({ object }) => object), String(revision), more))
      : `${head}${shown.map(({ json }) => json).join(',')}]}`;
    if (fault?.type === 'cutList') {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
      response.write(body.slice(0, body.length / 2), () => response.destroy());
      return;
    }
    requireJson(accept);
    sendJson(response, 200, body);
  }

  #page(type: ResourceType, namespace: string, query: URLSearchParams): Page {
    const { store, pages } = this.#parts;
    const version = query.get('resourceVersion') ?? '';
    const limit = whole(query, 'limit');
    const token = query.get('continue') ?? '';
    if (token !== '') {
      if (version !== '' && version !== '0') throw badRequest('specifying resource version is not allowed when using continue');
      return pages.following(token, limit);
    }
    if (version !== '' && !/^\d+$/.test(version)) throw badRequest(`invalid resource version "${version}"`);
    if (Number(version) > store.revision) throw new ApiFailure(504, 'Timeout', `Timeout: Too large resource version: ${version}, current: ${store.revision}`, 1);
    const selector = parseSelectors(type, query.get('labelSelector') ?? '', query.get('fieldSelector') ?? '');
    return pages.first(store.list(resourceKey(type), namespace).filter(({ object }) => selector(object)), store.revision, limit);
  }

  async #single(operation: Operation, user: User, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { verb, type, name, query } = operation;
    const { store, writes } = this.#parts;
    requireJson(request.headers.accept ?? '');
    const body = verb === 'get' ? undefined : await readBody(request);
    switch (verb) {
      case 'get': {
        const stored = store.get(resourceKey(type), `${operation.namespace}/${name}`);
        if (stored === undefined) throw notFound(resourceKey(type), name);
        return sendObject(request, response, 200, type, stored.object);
      }
      case 'create':
        return sendJson(response, 201, JSON.stringify(writes.create(operation, body)));
      case 'update':
        return sendJson(response, 200, JSON.stringify(writes.update(operation, body)));
      case 'patch': {
        const existed = store.get(resourceKey(type), `${operation.namespace}/${name}`) !== undefined;
        if (!existed) this.#parts.access.authorize(user, { ...operation, verb: 'create' });
        const patched = writes.patch(operation, contentType(request), body, { force: query.get('force') === 'true', manager: query.get('fieldManager') ?? '' });
        return sendJson(response, existed ? 200 : 201, JSON.stringify(patched));
      }
      case 'delete': {
        const { uid = '' } = writes.remove(operation, body).metadata;
        return sendJson(response, 200, JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details: { name, group: type.group, kind: type.plural, uid } }));
      }
      default:
        throw notAllowed();
    }
  }
}

function requireJson(accept: string): void {
  if (accept !== '' && !/application\/json|application\/\*|\*\/\*/.test(accept)) throw new ApiFailure(406, 'NotAcceptable', 'only the following media types are accepted: application/json');
}

function sendObject(request: IncomingMessage, response: ServerResponse, code: number, type: ResourceType, object: ApiObject): void {
  const table = (request.headers.accept ?? '').includes('as=Table');
  sendJson(response, code, JSON.stringify(table ? asTable(type.kind, [object], object.metadata.resourceVersion ?? '', {}) : object));
}

function sendJson(response: ServerResponse, code: number, body: string): void {
  response.writeHead(code, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'cache-control': 'no-cache, private' });
  response.end(body);
}
