import test from 'ava';
import type { Service } from '../../../controller/kube/objects.ts';
import { CLUSTER_DEFAULTS, clusterOf, resolveBackend, sameForRouting } from '../../../controller/model/services.ts';
import type { BackendRef, ConnectionProfile } from '../../../controller/model/translation.ts';
import { objectOf } from '../../support/manifests.ts';

function service(spec: string): Service {
  return objectOf('Service', `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: ${spec}}`);
}

function backend(port: number | string | undefined, profile?: ConnectionProfile): BackendRef {
  return { namespace: 'shop', service: 'web', port, weight: 1, ...(profile !== undefined && { profile }), origin: { kind: 'Ingress', namespace: 'shop', name: 'web' } };
}

const TWO = service('{ports: [{name: http, port: 80, targetPort: 8080}, {name: metrics, port: 9090, targetPort: m}, {name: dns, port: 53, protocol: UDP}]}');

function resolve(of: Service | undefined, port: number | string | undefined): string {
  const found = resolveBackend(backend(port), of, {});
  return 'cluster' in found ? found.cluster.name : found.missing;
}

test('a port is found by number and by name, and both are the same cluster', (t) => {
  t.is(resolve(TWO, 80), 'shop/web:80');
  t.is(resolve(TWO, 'http'), 'shop/web:80');
  t.is(resolve(TWO, 'metrics'), 'shop/web:9090');
});

test('no port means the first one', (t) => {
  t.is(resolve(TWO, undefined), 'shop/web:80');
});

test('what is missing is told with what there is', (t) => {
  t.is(resolve(undefined, 80), 'there is no Service "shop/web"');
  t.is(resolve(TWO, 81), 'Service shop/web has no TCP port 81; it has 80 ("http"), 9090 ("metrics")');
  t.is(resolve(TWO, 'htpp'), 'Service shop/web has no TCP port named "htpp"; it has 80 ("http"), 9090 ("metrics")');
  t.regex(resolve(TWO, 53), /no TCP port 53/);
});

test('who names a target port is told which port it belongs to', (t) => {
  const found = resolveBackend(backend(8080), TWO, {});
  t.true('hint' in found && found.hint?.includes('targetPort of its port 80'));
});

test('a port that is no TCP port is nobody\'s target port', (t) => {
  const found = resolveBackend(backend(53), TWO, {});
  t.true('missing' in found && found.hint === undefined);
});

test('an ExternalName Service without ports takes any number, and no name', (t) => {
  const external = service('{type: ExternalName, externalName: api.example.com}');
  t.is(resolve(external, 443), 'shop/web:443');
  t.regex(resolve(external, 'https'), /it has none/);
});

test('routes that talk to a Service in different ways do not share a cluster', (t) => {
  const plain = resolveBackend(backend(80), TWO, {});
  const profiled = resolveBackend(backend(80, { transport: { protocol: 'HTTP/2' } }), TWO, {});
  const again = resolveBackend(backend('http', { transport: { protocol: 'HTTP/2' } }), TWO, {});
  t.true('cluster' in plain && 'cluster' in profiled && 'cluster' in again && plain.cluster.name !== profiled.cluster.name && profiled.cluster.name === again.cluster.name);
  t.true('cluster' in profiled && clusterOf(profiled.cluster, CLUSTER_DEFAULTS).protocol === 'HTTP/2');
});

const PROTOCOLS: readonly (readonly [string, string, boolean])[] = [
  ['', 'HTTP/1.1', false],
  ['http', 'HTTP/1.1', false],
  ['HTTPS', 'HTTP/1.1', true],
  ['kubernetes.io/h2c', 'HTTP/2', false],
  ['kubernetes.io/ws', 'HTTP/1.1', false],
  ['kubernetes.io/wss', 'HTTP/1.1', true],
  ['grpc', 'HTTP/2', false],
  ['grpcs', 'HTTP/2', true],
  ['example.com/own', 'HTTP/1.1', false],
];

for (const [appProtocol, protocol, tls] of PROTOCOLS) {
  test(`appProtocol "${appProtocol}" is ${protocol}${tls ? ' over TLS' : ''}`, (t) => {
    const found = resolveBackend(backend(80), service(`{ports: [{port: 80${appProtocol === '' ? '' : `, appProtocol: ${appProtocol}`}}]}`), {});
    if (!('cluster' in found)) return t.fail();
    const cluster = clusterOf(found.cluster, CLUSTER_DEFAULTS);
    t.is(cluster.protocol as string, protocol);
    t.is(cluster.tls !== undefined, tls);
  });
}

test('a Service whose labels alone changed is the same for routing', (t) => {
  t.true(sameForRouting(TWO, { ...TWO, metadata: { ...TWO.metadata, resourceVersion: '2' } }));
  t.false(sameForRouting(TWO, { ...TWO, ports: TWO.ports.slice(1) }));
});
