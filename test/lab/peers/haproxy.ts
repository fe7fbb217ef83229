// HAProxy in a namespace: as an ingress, and as the TCP load balancer in front of the nodes.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bracketed } from '../addresses.ts';
import type { Host } from '../host.ts';
import { tool } from '../tools.ts';
import { listening, workFolder } from './program.ts';
import type { PeerOptions, Target } from './program.ts';

const DEFAULTS = `
global
  maxconn 500
  nbthread 1
defaults
  timeout connect 3s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 75s
`;

/** An ingress that goes straight to the pod. Its default, http-reuse safe, opens a new connection for every new client. */
export async function startHaproxyIngress(host: Host, options: PeerOptions): Promise<void> {
  const folder = workFolder(host, 'haproxy');
  let secure = '';
  if (options.tls !== undefined) {
    const pem = join(folder, 'cert.pem');
    writeFileSync(pem, `${options.tls.chainPem}\n${options.tls.keyPem}`, { mode: 0o600 });
    secure = `bind 0.0.0.0:${options.tls.port} ssl crt ${pem} alpn h2,http/1.1`;
  }
  await start(host, folder, `${DEFAULTS}
  mode http
  http-reuse always
frontend in
  bind 0.0.0.0:${options.port}
  ${secure}
  http-request set-header X-Request-ID %[uuid]
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Proto http
  default_backend pods
backend pods
  server pod ${bracketed(options.upstream.address)}:${options.upstream.port}
`, options);
}

/** A load balancer for TCP. `proxyProtocol`: tells its targets who the client is. */
export async function startHaproxyBalancer(host: Host, port: number, targets: readonly Target[], proxyProtocol = false): Promise<void> {
  const servers = targets.map(({ address, port: to }, index) => `  server node${index + 1} ${bracketed(address)}:${to}${proxyProtocol ? ' send-proxy-v2' : ''}`);
  await start(host, workFolder(host, 'haproxy-tcp'), `${DEFAULTS}
  mode tcp
frontend in
  bind 0.0.0.0:${port}
  default_backend nodes
backend nodes
  balance roundrobin
${servers.join('\n')}
`, { port });
}

async function start(host: Host, folder: string, config: string, options: { readonly port: number }): Promise<void> {
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(file, config);
  host.spawn(tool('haproxy'), ['-q', '-db', '-f', file]);
  await listening(host, options);
}
