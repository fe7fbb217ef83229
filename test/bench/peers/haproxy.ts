// HAProxy with one frontend and one backend; a large table is a map file looked up by host and path, as its ingress controllers do.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, start, waitFor } from '../run/process.ts';
import { answers } from '../run/probe.ts';
import type { Peer, Setup } from './peer.ts';

const START_MS = 60_000;

function configuration({ upstream, certificate, workers, table, folder }: Setup, ports: readonly [number, number]): string {
  const map = join(folder, 'routes.map');
  if (table !== undefined) {
    const lines = Array.from({ length: table.hosts * table.paths }, (_, index) => `host-${Math.floor(index / table.paths)}.example.com/path-${index % table.paths}/ endpoint`);
    writeFileSync(map, `${lines.join('\n')}\n`);
  }
  return `global
  nbthread ${workers}
  maxconn 8000
  ssl-default-bind-options ssl-min-ver TLSv1.2
  tune.ssl.cachesize 100000
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout tunnel 300s
  option forwardfor
  http-reuse always
frontend all
  bind 127.0.0.1:${ports[0]} backlog 4096
  bind 127.0.0.1:${ports[1]} backlog 4096 ssl crt ${certificate.both} alpn h2,http/1.1
  http-request set-header X-Forwarded-Proto https if { ssl_fc }
  http-request set-header X-Forwarded-Proto http if !{ ssl_fc }
${table === undefined ? '' : `  use_backend %[base,map_beg(${map})] if { base,map_beg(${map}) -m found }\n`}  default_backend endpoint
backend endpoint
  server one 127.0.0.1:${upstream.port} pool-max-conn 2048 maxconn 8000${upstream.protocol === 'grpc' ? ' proto h2' : ''}
`;
}

export const haproxy: Peer = {
  name: 'haproxy',
  warmUpSeconds: 1,
  async start(setup) {
    const ports = [await freePort(), await freePort()] as const;
    const file = join(setup.folder, 'haproxy.cfg');
    writeFileSync(file, configuration(setup, ports));
    const program = start('haproxy', ['-db', '-f', file], { cpus: setup.cpus });
    await waitFor(program, 'HAProxy', () => answers(ports[0]), START_MS);
    return { pid: program.pid, httpPort: ports[0], httpsPort: ports[1], stop: () => program.stop() };
  },
};
