// nginx in a namespace: as the reverse-proxy pod of a cluster without ingress controller, and as an ingress.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bracketed } from '../addresses.ts';
import type { Host } from '../host.ts';
import { tool } from '../tools.ts';
import { listening, workFolder } from './program.ts';
import type { PeerOptions } from './program.ts';

/** A pod that passes everything to a Service's address, as `proxy_pass http://service` does: HTTP/1.0, a connection per request. */
export async function startNginxPod(host: Host, options: PeerOptions): Promise<void> {
  await start(host, options, `
    location / {
      proxy_pass http://${bracketed(options.upstream.address)}:${options.upstream.port};
      proxy_set_header Host $host;
    }`, '');
}

/** An ingress that goes straight to the pod and keeps connections to it: HTTP/1.1, buffered, which is nginx's default. */
export async function startNginxIngress(host: Host, options: PeerOptions): Promise<void> {
  await start(host, options, `
    location / {
      proxy_pass http://pods;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Request-ID $request_id;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Port $server_port;
      proxy_set_header X-Forwarded-Proto $scheme;
    }`, `
  upstream pods {
    server ${bracketed(options.upstream.address)}:${options.upstream.port};
    keepalive 32;
  }`);
}

async function start(host: Host, options: PeerOptions, location: string, upstream: string): Promise<void> {
  const folder = workFolder(host, 'nginx');
  mkdirSync(join(folder, 'temp'), { recursive: true });
  let secure = '';
  if (options.tls !== undefined) {
    writeFileSync(join(folder, 'cert.pem'), options.tls.chainPem);
    writeFileSync(join(folder, 'key.pem'), options.tls.keyPem, { mode: 0o600 });
    secure = `listen ${options.tls.port} ssl http2;
    ssl_certificate ${folder}/cert.pem;
    ssl_certificate_key ${folder}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;`;
  }
  const config = join(folder, 'nginx.conf');
  writeFileSync(config, `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 512; }
http {
  access_log off;
  keepalive_timeout 75s;
  client_body_temp_path ${folder}/temp/body;
  proxy_temp_path ${folder}/temp/proxy;
  fastcgi_temp_path ${folder}/temp/fastcgi;
  uwsgi_temp_path ${folder}/temp/uwsgi;
  scgi_temp_path ${folder}/temp/scgi;${upstream}
  server {
    listen ${options.port};
    ${secure}${location}
  }
}
`);
  host.spawn(tool('nginx'), ['-c', config, '-p', folder, '-e', 'stderr']);
  await listening(host, options);
}
