// A whole Fairlead with two workers in front of an application of each protocol: pages, WebSocket echo, gRPC. For tests that
// change or break something while MixedLoad runs against it.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type net from 'node:net';
import type { ExecutionContext } from 'ava';
import { WebSocketServer } from 'ws';
import { startBackend } from './fairlead-backend.ts';
import { documents, endpoints, ingress, service } from './fairlead-manifests.ts';
import { childrenOf, startFairlead } from './fairlead-run.ts';
import type { FairleadRun, RunOptions } from './fairlead-run.ts';
import { startGrpcApp } from './grpc.ts';
import { get } from './fairlead-http.ts';
import { GRPC_HOST } from './mixed-load.ts';

/** Full length (npm run soak), or scaled in time (npm test). */
export const FULL = process.env['SOAK'] === '1';

export interface LoadSite {
  readonly fairlead: FairleadRun;
  readonly web: number;
  readonly echo: number;
  /** Process ids of the workers that run now. */
  workers(): readonly number[];
  /** The sum of all series of one metric. */
  metric(name: string): Promise<number>;
}

export async function startLoadSite(t: ExecutionContext, options: RunOptions = {}): Promise<LoadSite> {
  const web = await startBackend(t, 'web');
  const grpc = await startGrpcApp(t);
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  sockets.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  await once(sockets, 'listening');
  t.teardown(() => sockets.close());
  const echo = (sockets.address() as net.AddressInfo).port;
  const grpcService = service('grpc').replace('"port":80', '"port":80,"appProtocol":"grpc"');
  const fairlead = await startFairlead(t, {
    ...options,
    args: ['--workers', '2', '--access-log', 'off', ...(options.args ?? [])],
    files: {
      'site.yaml': documents(
        ingress('web', { paths: { '/': 'web', '/live': 'echo' } }), ingress('grpc', { host: GRPC_HOST, paths: { '/': 'grpc' } }),
        service('web'), endpoints('web', web), service('echo'), endpoints('echo', echo), grpcService, endpoints('grpc', grpc.port),
      ),
      ...options.files,
    },
  });
  return {
    fairlead, web, echo,
    workers: () => childrenOf(fairlead.child.pid),
    metric: async (name) => {
      const lines = (await get(fairlead.admin, '/metrics')).body.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    },
  };
}

/** A process is gone when it has been reaped: before that, one of its threads may still hold its sockets. */
export function isAlive(pid: number): boolean {
  try {
    readFileSync(`/proc/${pid}/stat`);
    return true;
  } catch {
    return false;
  }
}

/** Resident memory in bytes. */
export function residentOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

/** Numbers that look random and are the same in every run. */
export function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}
