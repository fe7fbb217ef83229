// The data plane of one worker in the test's own process: a table written by hand, real listeners on free ports.
import { DEFAULT_TEST_OPTIONS } from './worker-options.ts';
import type { Limits } from '../../proxy/server/limits.ts';
import { Server } from '../../proxy/server/server.ts';
import type { LoadProbe } from '../../proxy/server/overload.ts';
import type { Exchange } from '../../proxy/http/exchange.ts';
import type { Passage } from '../../proxy/observe/observer.ts';
import type { Cluster, Endpoint } from '../../proxy/table/cluster.ts';
import type { Listener } from '../../proxy/table/listener.ts';
import type { WorkerOptions } from '../../proxy/table/messages.ts';
import type { Forward, Route, VirtualHost } from '../../proxy/table/route.ts';
import { EMPTY_SNAPSHOT } from '../../proxy/table/snapshot.ts';
import type { Snapshot } from '../../proxy/table/snapshot.ts';

export interface Logged {
  readonly status: number;
  readonly reason: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly exchange: Exchange;
}

export interface DataPlane {
  readonly server: Server;
  readonly port: number;
  readonly httpsPort: number | undefined;
  /** Every exchange that ended, in order. */
  readonly log: Logged[];
  /** Every TLS connection that was passed through and has ended. */
  readonly passages: Passage[];
  /** Connections that came to nothing, as `listener reason`. */
  readonly below: string[];
  /** Puts another table in force. */
  swap(change: Partial<Snapshot>): Promise<void>;
  close(): Promise<void>;
}

export const HTTP_LISTENER: Listener = { name: 'http', address: '127.0.0.1', port: 0, protocol: 'HTTP', proxyProtocol: false, trustedProxies: [] };

export function endpoint(port: number, more: Partial<Endpoint> = {}): Endpoint {
  return { address: '127.0.0.1', port, ready: true, serving: true, terminating: false, ...more };
}

export function cluster(name: string, more: Partial<Cluster> = {}): Cluster {
  const origin = { kind: 'Service', namespace: 'test', name };
  return { name, protocol: 'HTTP/1.1', loadBalancer: { type: 'RoundRobin' }, connectTimeoutMs: 5_000, origin, ...more };
}

/** A route that forwards a path prefix to one cluster. */
export function route(prefix: string, clusterName: string, more: Partial<Omit<Forward, 'type'>> = {}): Route {
  return {
    name: `test${prefix}`,
    match: { path: { type: 'PathPrefix', value: prefix }, headers: [], queryParams: [], cookies: [] },
    filters: [],
    action: { type: 'Forward', clusters: [{ cluster: clusterName, weight: 1 }], ...more },
    origin: { kind: 'Ingress', namespace: 'test', name: 'web', field: 'spec.rules[0].http.paths[0]' },
  };
}

export function virtualHost(hostname: string, routes: readonly Route[], more: Partial<VirtualHost> = {}): VirtualHost {
  return { listeners: ['http'], hostname, routes, ...more };
}

/** Everything to one set of endpoints, whatever the host. */
export function simpleTable(endpoints: readonly Endpoint[], more: Partial<Omit<Forward, 'type'>> = {}, clusterMore: Partial<Cluster> = {}): Partial<Snapshot> {
  return {
    virtualHosts: { 'http/*': virtualHost('*', [route('/', 'test/web:80', more)]) },
    clusters: { 'test/web:80': cluster('test/web:80', clusterMore) },
    endpoints: { 'test/web:80': endpoints },
  };
}

export interface DataPlaneOptions {
  readonly limits?: Partial<Limits>;
  readonly timeouts?: Partial<WorkerOptions['timeouts']>;
  readonly forwarding?: Partial<WorkerOptions['forwarding']>;
  /** What the worker takes its load to be; idle, if it is left out. */
  readonly probe?: LoadProbe;
}

export async function startDataPlane(
  table: Partial<Snapshot>,
  options: DataPlaneOptions = {},
): Promise<DataPlane> {
  const log: Logged[] = [];
  const passages: Passage[] = [];
  const observer = {
    observePassage: (passage: Passage) => void passages.push(passage),
    observeExchange(exchange: Exchange, bytesIn: number, bytesOut: number) {
      log.push({ status: exchange.status, reason: exchange.reason, bytesIn, bytesOut, exchange });
    },
  };
  const below: string[] = [];
  const connections = {
    connectionOpened() {},
    connectionClosed() {},
    connectionRefused: (listener: string, reason: string) => void below.push(`${listener} ${reason}`),
    handshakeFailed: (listener: string) => void below.push(`${listener} HandshakeFailed`),
  };
  const server = new Server(
    {
      limits: { ...DEFAULT_TEST_OPTIONS.limits, ...options.limits },
      timeouts: { ...DEFAULT_TEST_OPTIONS.timeouts, ...options.timeouts },
      forwarding: { ...DEFAULT_TEST_OPTIONS.forwarding, ...options.forwarding },
      memory: DEFAULT_TEST_OPTIONS.memory,
    },
    EMPTY_SNAPSHOT,
    [observer],
    connections,
    options.probe ?? (() => ({ memory: 0, loopDelayMs: 0 })),
  );
  let current: Snapshot = { ...EMPTY_SNAPSHOT, listeners: { 'listener/http': HTTP_LISTENER }, ...table, version: 1 };
  const ports = await server.apply(current);
  return {
    server,
    port: ports['http'] as number,
    httpsPort: ports['https'],
    log,
    passages,
    below,
    swap: async (change) => {
      current = { ...current, ...change, version: current.version + 1 };
      await server.apply(current);
    },
    close: () => server.close(),
  };
}
