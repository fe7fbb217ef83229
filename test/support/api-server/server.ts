// The test API server: a strict stand-in for kube-apiserver over real HTTPS, with its state in memory and faults on command.
// It starts on a free port of 127.0.0.1; whoever starts it stops it.
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import { selfSigned } from '../../../certs/self-signed.ts';
import { cut } from '../cut.ts';
import { Access, ADMIN } from './access.ts';
import { Faults } from './faults.ts';
import { Handler } from './handler.ts';
import type { Parts, Seen } from './handler.ts';
import type { ApiObject } from './json.ts';
import { Pages } from './pages.ts';
import { RESOURCES, resourceKey, typeOfKind } from './resources.ts';
import { Store } from './store.ts';
import { Writes } from './writes.ts';

export const ADMIN_TOKEN = 'token-of-the-admin';

export interface ApiServerOptions {
  /** Between two bookmarks of a watch, in milliseconds; a minute, as the real one has it. */
  readonly bookmarkEveryMs?: number;
  /** Events remembered per resource. */
  readonly historyLimit?: number;
  /** 0: any free one. */
  readonly port?: number;
}

export class ApiServer {
  readonly store: Store;
  readonly access: Access;
  readonly faults = new Faults();
  /** Every request for an object or a collection, in order. */
  readonly requests: Seen[] = [];
  readonly #parts: Parts;
  readonly #handler: Handler;
  /** Connections below TLS, by the client's port, with the TLSSocket on each as soon as there is one. */
  readonly #sockets = new Map<number | undefined, { readonly tcp: Socket; tls?: Socket }>();
  #certificate = selfSigned({ hostnames: ['127.0.0.1', 'localhost'] });
  #server: Server | undefined;
  #port: number;

  constructor({ bookmarkEveryMs = 60_000, historyLimit, port = 0 }: ApiServerOptions = {}) {
    this.store = new Store(historyLimit);
    this.access = new Access(this.store);
    this.access.addToken(ADMIN_TOKEN, ADMIN);
    this.#port = port;
    this.#parts = { store: this.store, writes: new Writes(this.store), pages: new Pages(), access: this.access, faults: this.faults, hidden: new Set(), bookmarkEveryMs, reset: (port) => this.#reset(port) };
    this.#handler = new Handler(this.#parts, (seen) => this.requests.push(seen));
    for (const namespace of ['default', 'kube-system']) this.write({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  /** The trust anchor for its certificate. */
  get caPem(): string {
    return this.#certificate.chainPem;
  }

  /** Watches that are open. */
  get watches(): number {
    return this.#handler.watches;
  }

  /** Listens; after `refuse`, again on the same port. */
  async start(): Promise<void> {
    const server = createServer({ cert: this.#certificate.chainPem, key: this.#certificate.keyPem }, (request, response) => void this.#handler.serve(request, response));
    server.on('connection', (socket: Socket) => {
      const port = socket.remotePort;
      this.#sockets.set(port, { tcp: socket });
      socket.on('close', () => this.#sockets.delete(port)).on('error', () => undefined);
    });
    server.on('secureConnection', (tls: Socket) => {
      const known = this.#sockets.get(tls.remotePort);
      if (known !== undefined) known.tls = tls;
    });
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(this.#port, '127.0.0.1', resolve));
    const address = server.address();
    if (address !== null && typeof address === 'object') this.#port = address.port;
    this.#server = server;
  }

  /** Closes the port and resets every connection, as a process that was killed does. What is stored stays. */
  async refuse(): Promise<void> {
    this.#handler.stopWatches();
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.resetConnections();
    await closed;
  }

  async stop(): Promise<void> {
    await this.refuse();
  }

  #reset(port: number | undefined): void {
    const socket = this.#sockets.get(port);
    if (socket !== undefined) cut(socket.tcp, socket.tls);
  }

  resetConnections(): void {
    for (const { tcp, tls } of this.#sockets.values()) cut(tcp, tls);
  }

  /** A new key and certificate for new connections; the old trust anchor no longer fits. */
  renewCertificate(): void {
    this.#certificate = selfSigned({ hostnames: ['127.0.0.1', 'localhost'] });
    this.#server?.setSecureContext({ cert: this.#certificate.chainPem, key: this.#certificate.keyPem });
  }

  /** Takes a resource away, as in a cluster that is too old to have it. */
  hide(plural: string): void {
    this.#parts.hidden.add(plural);
  }

  /** Ends all past: old resourceVersions and continue tokens get 410. */
  compact(): void {
    this.store.compact();
    this.#parts.pages.expire();
  }

  /** Puts an object there as it is, without asking what it is like: for objects that a real server would have refused. */
  write(object: ApiObject): void {
    const type = typeOfKind(object.kind);
    const key = `${type.namespaced ? object.metadata.namespace : ''}/${object.metadata.name}`;
    const resource = resourceKey(type);
    const before = this.store.get(resource, key)?.object;
    const metadata = { uid: before?.metadata.uid ?? crypto.randomUUID(), creationTimestamp: before?.metadata.creationTimestamp ?? `${new Date().toISOString().slice(0, 19)}Z`, generation: 1, ...object.metadata };
    this.store.put(resource, key, { ...object, metadata });
  }

  /** False: there is no such object. `key`: `namespace/name`, with an empty namespace where there is none. */
  remove(kind: string, key: string): boolean {
    return this.store.remove(resourceKey(typeOfKind(kind)), key) !== undefined;
  }

  /** As stored; undefined: there is none. */
  read(kind: string, key: string): ApiObject | undefined {
    return this.store.get(resourceKey(typeOfKind(kind)), key)?.object;
  }

  /** All of a kind. */
  all(kind: string): ApiObject[] {
    return this.store.list(resourceKey(typeOfKind(kind)), '').map(({ object }) => object);
  }
}

export const ALL_KINDS: readonly string[] = RESOURCES.map(({ kind }) => kind);
