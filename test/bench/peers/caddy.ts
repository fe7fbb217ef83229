// Caddy with its JSON configuration; one worker is one processor for Go (GOMAXPROCS). A large table is one route a host.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, start, waitFor } from '../run/process.ts';
import { answers } from '../run/probe.ts';
import type { Peer, Setup } from './peer.ts';

const START_MS = 60_000;

function configuration({ upstream, certificate, table, folder }: Setup, ports: readonly [number, number]): string {
  const proxy = {
    handler: 'reverse_proxy',
    upstreams: [{ dial: `127.0.0.1:${upstream.port}` }],
    transport: { protocol: 'http', compression: false, keep_alive: { max_idle_conns: 4096, max_idle_conns_per_host: 2048 }, ...(upstream.protocol === 'grpc' ? { versions: ['h2c', '2'] } : {}) },
  };
  const hosts = Array.from({ length: table?.hosts ?? 0 }, (_, host) => ({
    match: [{ host: [`host-${host}.example.com`] }],
    handle: [{ handler: 'subroute', routes: Array.from({ length: table?.paths ?? 0 }, (__, path) => ({ match: [{ path: [`/path-${path}/*`] }], handle: [proxy] })) }],
    terminal: true,
  }));
  const routes = [...hosts, { handle: [proxy] }];
  const quiet = { automatic_https: { disable: true }, routes };
  return JSON.stringify({
    admin: { disabled: true },
    logging: { logs: { default: { level: 'ERROR' } } },
    storage: { module: 'file_system', root: folder },
    apps: {
      http: {
        servers: {
          http: { listen: [`127.0.0.1:${ports[0]}`], ...quiet },
          https: { listen: [`127.0.0.1:${ports[1]}`], ...quiet, tls_connection_policies: [{ default_sni: 'bench.example' }] },
        },
      },
      tls: { certificates: { load_files: [{ certificate: certificate.chain, key: certificate.key }] } },
    },
  });
}

export const caddy: Peer = {
  name: 'caddy',
  warmUpSeconds: 1,
  async start(setup) {
    const ports = [await freePort(), await freePort()] as const;
    const file = join(setup.folder, 'caddy.json');
    writeFileSync(file, configuration(setup, ports));
    const env = { GOMAXPROCS: String(setup.workers), XDG_DATA_HOME: setup.folder, XDG_CONFIG_HOME: setup.folder };
    const program = start('caddy', ['run', '--config', file], { cpus: setup.cpus, env });
    await waitFor(program, 'Caddy', () => answers(ports[0]), START_MS);
    return { pid: program.pid, httpPort: ports[0], httpsPort: ports[1], stop: () => program.stop() };
  },
};
