// The cases that put load on every peer. Concurrency is what saturates one processor of the fastest peer; fixed rates are below
// what the slowest can do.
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Running } from '../peers/peer.ts';
import { client, h2load } from '../run/generators.ts';
import type { Counts } from '../run/generators.ts';
import { probeGrpc } from '../run/probe.ts';
import { bodies, byWrk, expecting } from './http-load.ts';
import type { LoadCase } from './turns.ts';

const SMALL = 1024;
const NO_HTTP2 = 'it speaks HTTP/1.1 only';

async function grpc(target: Running, seconds: number, cpus: string | undefined): Promise<Counts> {
  const bodyFile = join(tmpdir(), `fairlead-bench-grpc-${process.pid}`);
  writeFileSync(bodyFile, Buffer.alloc(5));
  try {
    return await h2load({ port: target.httpsPort, path: '/bench.Echo/Unary', connections: 8, streams: 16, seconds, bodyFile, headers: ['content-type: application/grpc', 'te: trailers'] }, cpus);
  } finally {
    rmSync(bodyFile);
  }
}

export const LOAD_CASES: readonly LoadCase[] = [
  {
    name: 'keep-alive', title: 'HTTP/1.1 keep-alive, 1 KB', unit: 'request', protocol: 'http', limits: { nginx: 1.6, caddy: 0.5, 'http-proxy': 0.35 },
    load: byWrk({ tls: false, connections: 64 }), steady: { rate: 2000 }, check: expecting(SMALL),
  },
  {
    name: 'tls', title: 'HTTP/1.1 keep-alive over TLS, 1 KB', unit: 'request', protocol: 'http', limits: { nginx: 1.9 },
    load: byWrk({ tls: true, connections: 64 }), steady: { rate: 2000, tls: true }, check: expecting(SMALL, { tls: true }),
  },
  {
    name: 'new-connection', title: 'HTTP/1.1, a connection for every request, 1 KB', unit: 'request', protocol: 'http',
    load: byWrk({ tls: false, connections: 64, fresh: true }), steady: { rate: 500, fresh: true }, check: expecting(SMALL),
  },
  {
    name: 'http2', title: 'HTTP/2 over TLS, 1 KB', unit: 'request', protocol: 'http', limits: { nginx: 1.6 }, without: { 'http-proxy': NO_HTTP2 },
    load: (target, seconds, cpus) => h2load({ port: target.httpsPort, path: '/', connections: 8, streams: 16, seconds }, cpus),
    steady: { rate: 1000, tls: true, protocol: 'http2' }, check: expecting(SMALL, { tls: true }),
  },
  {
    name: 'body-64k', title: 'HTTP/1.1 keep-alive, bodies of 64 KB', unit: 'request', protocol: 'http', bodyBytes: 64 * 1024,
    load: byWrk({ tls: false, connections: 32, path: '/files/64k' }), check: expecting(64 * 1024, { path: '/files/64k' }),
  },
  {
    name: 'body-10m', title: 'HTTP/1.1 keep-alive, bodies of 10 MB', unit: 'request', protocol: 'http', bodyBytes: 10 * 1024 * 1024, limits: { nginx: 1.6 },
    load: bodies({ tls: false, connections: 8, path: '/files/10m' }, 10 * 1024 * 1024), check: expecting(10 * 1024 * 1024, { path: '/files/10m' }),
  },
  {
    name: 'post-4k', title: 'POST of 4 KB', unit: 'request', protocol: 'upload', bodyBytes: 4096,
    load: byWrk({ tls: false, connections: 64, method: 'POST', bodyBytes: 4096 }), check: expecting(2),
  },
  {
    name: 'post-1m', title: 'POST of 1 MB', unit: 'request', protocol: 'upload', bodyBytes: 1024 * 1024,
    load: byWrk({ tls: false, connections: 8, method: 'POST', bodyBytes: 1024 * 1024 }), check: expecting(2),
  },
  {
    name: 'connections-1000', title: 'HTTP/1.1 keep-alive on 1,000 connections, 1 KB', unit: 'request', protocol: 'http',
    load: byWrk({ tls: false, connections: 1000 }), steady: { rate: 2000, connections: 1000 }, check: expecting(SMALL),
  },
  {
    name: 'hosts-10000', title: 'HTTP/1.1 keep-alive, 1 KB, with a table of 10,000 hosts with 10 paths each', unit: 'request', protocol: 'http', table: { hosts: 10_000, paths: 10 },
    without: {
      'http-proxy': 'it has no routes of its own',
      caddy: 'it tries its routes one after the other: some 450 requests/s at this size, 3 GB of memory and half a minute to start',
    },
    load: byWrk({ tls: false, connections: 64, hosts: 10_000, paths: 10 }), steady: { rate: 2000, host: 'host-9999.example.com', path: '/path-9/' },
    check: expecting(SMALL, { host: 'host-9999.example.com', path: '/path-9/' }),
  },
  {
    name: 'websocket', title: 'WebSocket echo of 64 bytes', unit: 'message', protocol: 'websocket',
    load: async (target, seconds, cpus) => ({ ...(await client({ port: target.httpPort, seconds, protocol: 'websocket', bodyBytes: 64, connections: 64, rate: 0 }, cpus)), bytes: 0 }),
    steady: { rate: 2000, protocol: 'websocket', bodyBytes: 64 }, check: expecting(2),
  },
  {
    name: 'grpc', title: 'gRPC unary over HTTP/2 with TLS, HTTP/2 upstream', unit: 'request', protocol: 'grpc', without: { 'http-proxy': NO_HTTP2 },
    load: grpc, check: async (target) => {
      const answer = await probeGrpc(target.httpsPort);
      return answer === 'ok' ? undefined : `it does not pass a gRPC call on (${answer})`;
    },
  },
];
