import test from 'ava';
import type { EndpointSlice, Service } from '../../../controller/kube/objects.ts';
import { endpointsOf } from '../../../controller/model/endpoints.ts';
import type { EndpointSet } from '../../../controller/model/endpoints.ts';
import { objectOf } from '../../support/manifests.ts';

function service(ports: string, more = ''): Service {
  return objectOf('Service', `{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: ${ports}${more}}}`);
}

function slice(name: string, ports: string, endpoints: string, addressType = 'IPv4'): EndpointSlice {
  return objectOf(
    'EndpointSlice',
    `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: ${name}, labels: {kubernetes.io/service-name: web}}, addressType: ${addressType}, ports: ${ports}, endpoints: ${endpoints}}`,
  );
}

function ofSlices(of: Service, ...slices: EndpointSlice[]): EndpointSet {
  return endpointsOf(of, of.ports[0]!, slices, undefined);
}

const texts = (set: EndpointSet): string[] => set.endpoints.map(({ address, port }) => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`));

const UNNAMED = service('[{port: 80}]');

test('the slice port with the name of the Service port gives the number', (t) => {
  const named = service('[{name: http, port: 80, targetPort: web}, {name: metrics, port: 9090}]');
  const set = ofSlices(named, slice('a', '[{name: metrics, port: 9999}, {name: http, port: 8080}]', '[{addresses: [10.0.0.1]}]'));
  t.deepEqual(texts(set), ['10.0.0.1:8080']);
});

test('an unnamed Service port takes the only port of a slice, whatever its name', (t) => {
  t.deepEqual(texts(ofSlices(UNNAMED, slice('a', '[{name: http, port: 8080}]', '[{addresses: [10.0.0.1]}]'))), ['10.0.0.1:8080']);
  t.deepEqual(texts(ofSlices(UNNAMED, slice('a', '[{name: a, port: 1}, {name: b, port: 2}]', '[{addresses: [10.0.0.1]}]'))), []);
});

test('a named Service port takes no slice port of another name or protocol', (t) => {
  const named = service('[{name: http, port: 80}]');
  t.deepEqual(texts(ofSlices(named, slice('a', '[{name: web, port: 8080}, {name: http, port: 53, protocol: UDP}]', '[{addresses: [10.0.0.1]}]'))), []);
});

test('a slice port without number means the target port of the Service', (t) => {
  const numbered = service('[{port: 80, targetPort: 8080}]');
  t.deepEqual(texts(ofSlices(numbered, slice('a', '[{name: ""}]', '[{addresses: [10.0.0.1]}]'))), ['10.0.0.1:8080']);
});

test('pods may listen on different ports, and every slice counts', (t) => {
  const set = ofSlices(UNNAMED, slice('b', '[{port: 9090}]', '[{addresses: [10.0.0.1]}]'), slice('a', '[{port: 8080}]', '[{addresses: [10.0.0.2]}, {addresses: [10.0.0.1]}]'));
  t.deepEqual(texts(set), ['10.0.0.1:8080', '10.0.0.1:9090', '10.0.0.2:8080']);
});

test('a pod that two slices hold is one endpoint, with the better word of both', (t) => {
  const set = ofSlices(
    UNNAMED,
    slice('a', '[{port: 80}]', '[{addresses: [10.0.0.1], conditions: {ready: false, serving: true, terminating: true}}]'),
    slice('b', '[{port: 80}]', '[{addresses: [10.0.0.1], zone: a}]'),
  );
  t.deepEqual(set.endpoints, [{ address: '10.0.0.1', port: 80, zone: 'a', ready: true, serving: true, terminating: false }]);
});

test('a terminating endpoint that serves is kept for the worker to decide on, one that does not serve is dropped', (t) => {
  const set = ofSlices(
    UNNAMED,
    slice('a', '[{port: 80}]', '[{addresses: [10.0.0.1], conditions: {ready: false, serving: true, terminating: true}}, {addresses: [10.0.0.2], conditions: {ready: false, serving: false}}]'),
  );
  t.deepEqual(set.endpoints, [{ address: '10.0.0.1', port: 80, ready: false, serving: true, terminating: true }]);
});

test('both families of a dual-stack Service are endpoints', (t) => {
  const set = ofSlices(UNNAMED, slice('a', '[{port: 80}]', '[{addresses: [10.0.0.1]}]'), slice('b', '[{port: 80}]', '[{addresses: ["2001:DB8::0:1"]}]', 'IPv6'));
  t.deepEqual(texts(set), ['10.0.0.1:80', '[2001:db8::1]:80']);
});

test('addresses that lead to this node or nowhere are refused, in one Problem for each slice', (t) => {
  const set = ofSlices(UNNAMED, slice('a', '[{port: 80}]', '[{addresses: [10.0.0.1, 169.254.169.254]}, {addresses: [0.0.0.0]}]'));
  t.deepEqual(texts(set), ['10.0.0.1:80']);
  t.is(set.problems.length, 1);
  t.is(set.problems[0]!.reason, 'RefNotPermitted');
  t.is(set.problems[0]!.origin.field, 'endpoints[0].addresses');
  t.regex(set.problems[0]!.message, /169\.254\.169\.254.*link-local.*1 more/);
});

test('loopback is accepted from manifests', (t) => {
  t.deepEqual(texts(ofSlices(UNNAMED, slice('a', '[{port: 80}]', '[{addresses: [127.0.0.1]}]'))), ['127.0.0.1:80']);
});

test('a slice of names is passed over with a Problem', (t) => {
  const set = ofSlices(UNNAMED, slice('a', '[{port: 80}]', '[{addresses: [pod.example.com]}]', 'FQDN'));
  t.deepEqual(set.endpoints, []);
  t.is(set.problems[0]!.reason, 'UnsupportedAddressType');
});

const LEGACY = objectOf(
  'Endpoints',
  '{apiVersion: v1, kind: Endpoints, metadata: {name: web}, subsets: [{addresses: [{ip: 10.0.0.9}], notReadyAddresses: [{ip: 10.0.0.8}], ports: [{port: 8080}]}]}',
);

test('an Endpoints object counts only for a Service without slices', (t) => {
  t.deepEqual(texts(endpointsOf(UNNAMED, UNNAMED.ports[0]!, [], LEGACY)), ['10.0.0.9:8080']);
  t.deepEqual(texts(endpointsOf(UNNAMED, UNNAMED.ports[0]!, [slice('a', '[{port: 80}]', '[]')], LEGACY)), []);
});

test('a Service with an empty slice is scaled to zero; one without any slice is worth a Problem', (t) => {
  t.deepEqual(ofSlices(UNNAMED, slice('a', '[]', '[]')), { endpoints: [], problems: [] });
  t.deepEqual(endpointsOf(UNNAMED, UNNAMED.ports[0]!, [], undefined).problems.map(({ reason }) => reason), ['EndpointsNotFound']);
});
