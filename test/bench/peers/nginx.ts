// nginx as people run it in front of an application: bodies streamed in both directions, and what goes upstream is kept open.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, start, waitFor } from '../run/process.ts';
import { answers } from '../run/probe.ts';
import type { Peer, Setup } from './peer.ts';

const START_MS = 60_000;

/** A whole configuration around the inside of its http block; everything that nginx writes goes to `folder`. */
export function nginxFrame(folder: string, http: string, workers = 1): string {
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `  ${kind}_temp_path ${join(folder, kind)};`).join('\n');
  return `daemon off;
${user}
worker_processes ${workers};
worker_rlimit_nofile 20000;
pid ${join(folder, 'nginx.pid')};
error_log stderr error;
events { worker_connections 16384; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
${paths}
${http}
}
`;
}

function servers({ upstream: { protocol }, table }: Setup, ports: readonly [number, number], certificate: string): string {
  const pass = protocol === 'grpc' ? 'grpc_pass grpc://endpoint' : 'proxy_pass http://endpoint';
  const listen = (more: string): string => `listen 127.0.0.1:${ports[0]}${more}; listen 127.0.0.1:${ports[1]} ssl http2${more};`;
  const server = (name: string, more: string, locations: string): string => `  server { ${listen(more)} server_name ${name};\n${locations}  }`;
  const every = server('_', ' backlog=4096 default_server', `    location / { ${pass}; }\n`);
  const hosts = Array.from({ length: table?.hosts ?? 0 }, (_, host) =>
    server(`host-${host}.example.com`, '', Array.from({ length: table?.paths ?? 0 }, (__, path) => `    location /path-${path}/ { ${pass}; }\n`).join('')));
  return [certificate, every, ...hosts].join('\n');
}

function configuration(setup: Setup, ports: readonly [number, number]): string {
  const { upstream, certificate, folder, workers, table } = setup;
  const connection = upstream.protocol === 'websocket' ? '$connection_upgrade' : '""';
  const upgrade = upstream.protocol === 'websocket' ? '  proxy_set_header Upgrade $http_upgrade;\n  map $http_upgrade $connection_upgrade { default upgrade; "" ""; }\n' : '';
  const sizes = table === undefined ? '' : '  server_names_hash_max_size 65536;\n  server_names_hash_bucket_size 128;\n';
  return nginxFrame(folder, `
  client_max_body_size 0;
  proxy_http_version 1.1;
  proxy_request_buffering off;
  proxy_max_temp_file_size 0;
  proxy_set_header Host $http_host;
  proxy_set_header Connection ${connection};
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Host $http_host;
${upgrade}${sizes}
  upstream endpoint {
    server 127.0.0.1:${upstream.port};
    keepalive 1024;
    keepalive_requests 1000000000;
  }
${servers(setup, ports, `  ssl_certificate ${certificate.chain};\n  ssl_certificate_key ${certificate.key};\n  ssl_protocols TLSv1.2 TLSv1.3;\n  ssl_session_cache shared:tls:10m;`)}`, workers);
}

export const nginx: Peer = {
  name: 'nginx',
  warmUpSeconds: 1,
  async start(setup) {
    const ports = [await freePort(), await freePort()] as const;
    const file = join(setup.folder, 'nginx.conf');
    writeFileSync(file, configuration(setup, ports));
    const program = start('nginx', ['-p', setup.folder, '-c', file], { cpus: setup.cpus });
    await waitFor(program, 'nginx', () => answers(ports[0]), START_MS);
    return { pid: program.pid, httpPort: ports[0], httpsPort: ports[1], stop: () => program.stop() };
  },
};
