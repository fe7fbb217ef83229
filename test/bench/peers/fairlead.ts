// Fairlead as its users start it: `run` on a folder of manifests. Its primary process counts towards all of its figures.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { collectGarbage } from '../run/collect-garbage.ts';
import { start, waitFor } from '../run/process.ts';
import type { Peer, Setup } from './peer.ts';

const CLI = fileURLToPath(new URL('../../../controller/cli.ts', import.meta.url));
const START_MS = 60_000;
const NAMESPACE = 'bench';

/** One Ingress as one line of YAML. No host: every host. */
export function ingressYaml(name: string, paths: readonly string[], host?: string): string {
  const backend = '{service: {name: endpoint, port: {number: 80}}}';
  const rules = `${host === undefined ? '' : `host: ${host}, `}http: {paths: [${paths.map((path) => `{path: ${path}, pathType: Prefix, backend: ${backend}}`).join(', ')}]}`;
  return `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: ${name}, namespace: ${NAMESPACE}}, spec: {rules: [{${rules}}]}}\n`;
}

/** The endpoints of the one Service, one for each port of 127.0.0.1. */
export function endpointsYaml(ports: readonly number[]): string {
  return ports.map((port, index) =>
    `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: endpoint-${index}, namespace: ${NAMESPACE}, labels: {kubernetes.io/service-name: endpoint}}, ` +
    `addressType: IPv4, ports: [{name: http, port: ${port}, protocol: TCP}], endpoints: [{addresses: [127.0.0.1], conditions: {ready: true}}]}\n`).join('---\n');
}

function manifests({ upstream, certificate, table, folder }: Setup): void {
  const base64 = (file: string): string => readFileSync(file).toString('base64');
  const appProtocol = upstream.protocol === 'grpc' ? ', appProtocol: kubernetes.io/h2c' : '';
  writeFileSync(join(folder, 'service.yaml'), `{apiVersion: v1, kind: Service, metadata: {name: endpoint, namespace: ${NAMESPACE}}, spec: {clusterIP: 10.96.0.1, ports: [{name: http, port: 80, targetPort: http${appProtocol}}]}}
---
{apiVersion: v1, kind: Secret, type: kubernetes.io/tls, metadata: {name: tls, namespace: ${NAMESPACE}}, data: {tls.crt: ${base64(certificate.chain)}, tls.key: ${base64(certificate.key)}}}
`);
  writeFileSync(join(folder, 'endpoints.yaml'), endpointsYaml([upstream.port]));
  writeFileSync(join(folder, 'everything.yaml'), ingressYaml('everything', ['/']));
  if (table === undefined) return;
  const paths = Array.from({ length: table.paths }, (_, path) => `/path-${path}`);
  const hosts = Array.from({ length: table.hosts }, (_, host) => ingressYaml(`host-${host}`, paths, `host-${host}.example.com`));
  writeFileSync(join(folder, 'hosts.yaml'), hosts.join('---\n'));
}

export const fairlead: Peer = {
  name: 'fairlead',
  warmUpSeconds: 4,
  async start(setup) {
    manifests(setup);
    const ports = ['http', 'https', 'admin'].flatMap((name) => [`--${name}-port`, '0']);
    const args = [
      CLI, 'run', '--manifests', setup.folder, '--bind', '127.0.0.1', ...ports, '--workers', String(setup.workers),
      '--access-log', 'off', '--log-level', 'warn', '--keep-alive-requests', '999999999', '--keep-alive-timeout', '300s',
      '--default-ssl-certificate', `${NAMESPACE}/tls`, '--drain-timeout', '500ms',
    ];
    const program = start(process.execPath, args, { cpus: setup.cpus, ...(setup.env === undefined ? {} : { env: setup.env }) });
    const line = await waitFor(program, 'Fairlead', () => /^\{"msg":"ready".*$/m.exec(program.output())?.[0], START_MS, (errors) => errors.includes('ended and is replaced'));
    const { http, https, admin } = JSON.parse(line) as { http: number; https: number; admin: number };
    return { pid: program.pid, httpPort: http, httpsPort: https, adminPort: admin, collectGarbage: () => collectGarbage(program.pid, program.errors), stop: () => program.stop() };
  },
};
