import test from 'ava';
import type { Service } from '../../../controller/kube/objects.ts';
import { externalEndpoints, externalHostname } from '../../../controller/model/external-name.ts';
import type { DnsAnswer } from '../../../controller/model/external-name.ts';
import { objectOf } from '../../support/manifests.ts';

function service(externalName: string): Service {
  const base = objectOf('Service', '{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: ExternalName, externalName: placeholder.example, ports: [{port: 80, targetPort: 8080}]}}');
  return { ...base, externalName };
}

function resolve(externalName: string, answer?: DnsAnswer) {
  const of = service(externalName);
  const set = externalEndpoints(of, of.ports[0]!, new Map(answer === undefined ? [] : [[externalHostname(of) ?? '', answer]]));
  return { addresses: set.endpoints.map(({ address, port }) => `${address} ${port}`), reasons: set.problems.map(({ reason }) => reason) };
}

test('the addresses that DNS gives are the endpoints, at the target port', (t) => {
  t.deepEqual(resolve('api.example.com', { addresses: ['203.0.113.2', '203.0.113.1', '203.0.113.2', '2001:db8::1'] }), {
    addresses: ['2001:db8::1 8080', '203.0.113.1 8080', '203.0.113.2 8080'],
    reasons: [],
  });
});

test('a name that has not been asked for yet has no endpoints and no Problem', (t) => {
  t.deepEqual(resolve('api.example.com'), { addresses: [], reasons: [] });
  t.is(externalHostname(service('API.example.com.')), 'api.example.com');
});

test('a name that does not resolve is a Problem', (t) => {
  t.deepEqual(resolve('api.example.com', { error: 'ENOTFOUND' }), { addresses: [], reasons: ['ExternalNameUnresolved'] });
  t.deepEqual(resolve('api.example.com', { addresses: [] }), { addresses: [], reasons: ['ExternalNameUnresolved'] });
});

for (const address of ['127.0.0.1', '127.8.9.10', '::1', '169.254.169.254', 'fe80::1', '0.0.0.0', '::', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '64:ff9b::7f00:1']) {
  test(`an answer that leads to ${address} is refused`, (t) => {
    t.deepEqual(resolve('rebind.example.com', { addresses: [address, '203.0.113.1'] }), { addresses: ['203.0.113.1 8080'], reasons: ['RefNotPermitted'] });
  });
}

for (const name of ['localhost', 'LOCALHOST', 'localhost.', 'a.localhost', '127.0.0.1', '::ffff:127.0.0.1']) {
  test(`the name ${name} is refused and never asked for`, (t) => {
    t.is(externalHostname(service(name)), undefined);
    t.deepEqual(resolve(name), { addresses: [], reasons: ['RefNotPermitted'] });
  });
}

test('an address as the name needs no DNS', (t) => {
  t.is(externalHostname(service('203.0.113.1')), undefined);
  t.deepEqual(resolve('203.0.113.1'), { addresses: ['203.0.113.1 8080'], reasons: [] });
});

for (const name of ['', 'a b', 'a..b', 'http://x', '-a.example', `${'a'.repeat(64)}.example`]) {
  test(`"${name}" is no name that DNS could resolve`, (t) => {
    t.is(externalHostname(service(name)), undefined);
    t.deepEqual(resolve(name), { addresses: [], reasons: ['InvalidExternalName'] });
  });
}

test('underscores are allowed in names of other zones', (t) => {
  t.is(externalHostname(service('_svc.my_zone.example')), '_svc.my_zone.example');
});
