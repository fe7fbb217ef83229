// What a run of the pipeline costs with 10,000 Ingresses (one host each), 10,000 Services and 50,000 endpoints:
// `node test/bench/pipeline.ts`. Prints one line per case, in milliseconds; decoding is not included.
import { selfSigned } from '../../certs/self-signed.ts';
import type { EndpointSlice, Ingress, Metadata, Service } from '../../controller/kube/objects.ts';
import { KubeStore } from '../../controller/kube/state.ts';
import type { Change } from '../../controller/kube/state.ts';
import { Pipeline } from '../../controller/pipeline.ts';
import type { PipelineSettings } from '../../controller/pipeline.ts';

const HOSTS = 10_000;
const ENDPOINTS = 5;
const ROUNDS = 300;

const settings: PipelineSettings = {
  controllerClass: 'fairlead.dev/ingress-controller',
  ingressClass: 'fairlead',
  watchIngressWithoutClass: true,
  selfSigned: selfSigned({ hostnames: ['fairlead.invalid'] }),
  listeners: [
    { name: 'http', address: '::', port: 8080, protocol: 'HTTP', proxyProtocol: false, trustedProxies: [] },
    { name: 'https', address: '::', port: 8443, protocol: 'HTTPS', proxyProtocol: false, trustedProxies: [] },
  ],
};

function metadata(name: string, annotations: ReadonlyMap<string, string> = new Map()): Metadata {
  return { namespace: 'bench', name, uid: name, resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z', generation: 1, labels: new Map(), annotations };
}

function ingress(index: number, service = index): Ingress {
  const backend = { service: `service-${service}`, port: { number: 80 } };
  return {
    kind: 'Ingress',
    metadata: metadata(`ingress-${index}`),
    tls: [],
    rules: [{ host: `host-${index}.example.com`, paths: [{ path: '/', pathType: 'Prefix', backend }, { path: '/api', pathType: 'Prefix', backend }] }],
  };
}

function service(index: number): Service {
  const ports = [{ name: 'http', protocol: 'TCP', appProtocol: '', port: 80, targetPort: 8080 }] as const;
  return { kind: 'Service', metadata: metadata(`service-${index}`), type: 'ClusterIP', clusterIP: '10.96.0.1', externalName: '', ports, loadBalancerIngress: [], externalIPs: [] };
}

function slice(index: number, generation: number): EndpointSlice {
  const endpoints = Array.from({ length: ENDPOINTS }, (_, pod) => ({
    addresses: [`10.${(index >> 8) & 255}.${index & 255}.${pod + 1}`],
    ready: pod !== generation % ENDPOINTS,
    serving: true,
    terminating: false,
    zone: 'a',
    nodeName: 'node',
  }));
  const ports = [{ name: 'http', protocol: 'TCP', port: 8080, appProtocol: '' }] as const;
  return { kind: 'EndpointSlice', metadata: metadata(`service-${index}-abcde`), serviceName: `service-${index}`, addressType: 'IPv4', ports, endpoints };
}

function filled(): KubeStore {
  const store = new KubeStore();
  for (let index = 0; index < HOSTS; index++) {
    store.put(ingress(index));
    store.put(service(index));
    store.put(slice(index, 0));
  }
  return store;
}

function report(name: string, times: readonly number[]): void {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(3).padStart(9);
  console.log(`${name.padEnd(44)} median ${at(0.5)}  p99 ${at(0.99)}  max ${at(1)}  (${times.length} runs)`);
}

function timed(act: () => void): number {
  const start = performance.now();
  act();
  return performance.now() - start;
}

const store = filled();
const cold: number[] = [];
let pipeline = new Pipeline(settings);
for (let round = 0; round < 4; round++) {
  pipeline = new Pipeline(settings);
  cold.push(timed(() => pipeline.run(store, new Map())));
}
console.log(`cold, first in the process ${cold[0]!.toFixed(0)}`);
report('cold, 10,000 hosts', cold.slice(1));

function repeat(name: string, change: (round: number) => readonly Change[]): void {
  const times = Array.from({ length: ROUNDS }, (_, round) => {
    const changes = change(round);
    return timed(() => pipeline.run(store, new Map(), changes));
  });
  report(name, times);
}

repeat('one EndpointSlice', (round) => [store.put(slice((round * 37) % HOSTS, round + 1))]);
repeat('one EndpointSlice, same endpoints', () => [store.put(slice(HOSTS - 1, 0))]);
repeat('one new Ingress', (round) => [store.put(ingress(HOSTS + round, round))]);
repeat('one Ingress changed', (round) => [store.put(ingress(round, round + 1))]);
repeat('one Ingress gone', (round) => [store.remove('Ingress', `bench/ingress-${round}`)!]);
repeat('one Service, labels only', (round) => [store.put(service(round))]);
repeat('nothing', () => []);
report('everything looked at again, nothing changed', Array.from({ length: 10 }, () => timed(() => pipeline.run(store, new Map()))));

// Every Ingress with a Problem: the list is kept in order at each change.
for (let index = 0; index < HOSTS; index++) store.put({ ...ingress(index), metadata: metadata(`ingress-${index}`, new Map([['nginx.ingress.kubernetes.io/mirror-target', 'x']])) });
pipeline.run(store, new Map());
repeat('one new Ingress with a Problem, after 10,000', (round) => [
  store.put({ ...ingress(2 * HOSTS + round, round), metadata: metadata(`ingress-${2 * HOSTS + round}`, new Map([['nginx.ingress.kubernetes.io/mirror-target', 'x']])) }),
]);
console.log(`resident ${Math.round(process.memoryUsage.rss() / 1e6)} MB, heap ${Math.round(process.memoryUsage().heapUsed / 1e6)} MB`);
