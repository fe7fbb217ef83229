// Every string of the objects (but namespace and name, which the decoder vouches for) set to each of many hostile values,
// behind the decoder that would refuse most of them: taken literally or refused with a Problem, nothing else notices, and no
// message repeats a megabyte.
import test from 'ava';
import { SUPPORTED } from '../../controller/dialects/ingress-nginx/groups.ts';
import { KNOWN_ANNOTATIONS } from '../../controller/dialects/ingress-nginx/known.ts';
import type { Endpoints, EndpointSlice, Ingress, KubeObject, Service } from '../../controller/kube/objects.ts';
import { storeOf } from '../support/manifests.ts';
import { answerTo, documents, ingressYaml, runOnce, serviceYaml } from '../support/pipeline.ts';

const HOSTILE: readonly string[] = [
  '', ' ', '\0', '\r', '\n', '\r\nX: y', '\t', '"', "'", '`', '{', '}', '{}', '[', ']', '(', ')', ';', ':', ',', '#', '?', '%', '%00', '%2f', '%zz', '$', '$host', '${x}', '${process.exit(1)}', '`id`',
  '|', '||', '&', '&&', '<', '>', '<script>', '../..', '/..', '..', '.', '/', '//', '\\', '*', '**', '*.*', '.*', '(a+)+$', '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'null', 'undefined',
  'NaN', '-1', '0', '1e999', '\ud800', '\u202e', '\ufeff', '\u{1f4a9}', 'é', 'İ', '127.0.0.1', '::1', '[::1]', 'localhost', 'http://x', 'a'.repeat(64), 'a.'.repeat(200), '/'.repeat(5000), 'x'.repeat(1_000_000),
];

const GOOD = documents(serviceYaml('good'), ingressYaml({ name: 'good', host: 'good.example', paths: ['Prefix / good'] }));
const BASE = storeOf(
  documents(
    serviceYaml('web'),
    ingressYaml({ name: 'web', host: 'web.example', paths: ['Prefix / web'], spec: 'tls: [{hosts: [web.example], secretName: cert}]' }),
    '{apiVersion: v1, kind: Endpoints, metadata: {name: web}, subsets: [{addresses: [{ip: 10.0.0.9}], ports: [{port: 80}]}]}',
  ),
).objects;
const ingress = BASE.Ingress.get('default/web')!;
const service = BASE.Service.get('default/web')!;
const slice = BASE.EndpointSlice.get('default/web-1')!;
const endpoints = BASE.Endpoints.get('default/web')!;

const withRule = (host: string, path: string, name: string): Ingress => ({ ...ingress, rules: [{ host, paths: [{ path, pathType: 'ImplementationSpecific', backend: { service: name, port: { number: 80 } } }] }] });
const withPort = (more: Partial<Service['ports'][number]>): Service => ({ ...service, ports: [{ ...service.ports[0]!, ...more }] });
const withAnnotation = (key: string, value: string): Ingress => ({ ...ingress, metadata: { ...ingress.metadata, annotations: new Map([[key, value]]) } });
const withSlice = (more: Partial<EndpointSlice>): EndpointSlice => ({ ...slice, ...more });

const FIELDS: ReadonlyMap<string, (value: string) => KubeObject> = new Map<string, (value: string) => KubeObject>([
  ['a rule host', (value) => withRule(value, '/', 'web')],
  ['a path', (value) => withRule('web.example', value, 'web')],
  ['a backend service', (value) => withRule('web.example', '/', value)],
  ['a backend port', (value) => ({ ...ingress, defaultBackend: { service: 'web', port: { name: value } }, rules: [] })],
  ['a backend resource', (value) => ({ ...ingress, defaultBackend: { resource: { apiGroup: value, kind: value, name: value } }, rules: [] })],
  ['an Ingress class', (value) => ({ ...ingress, ingressClassName: value })],
  ['a creationTimestamp', (value) => ({ ...ingress, metadata: { ...ingress.metadata, creationTimestamp: value } })],
  ['a tls host', (value) => ({ ...ingress, tls: [{ hosts: [value], secretName: 'cert' }] })],
  ['a tls secret', (value) => ({ ...ingress, tls: [{ hosts: [], secretName: value }] })],
  ['an annotation', (value) => withAnnotation('fairlead.dev/ssl-redirect', value)],
  ['a protective annotation', (value) => withAnnotation('nginx.ingress.kubernetes.io/auth-url', value)],
  ['an annotation name', (value) => withAnnotation(`nginx.ingress.kubernetes.io/${value}`, 'x')],
  ['a Service port name', (value) => withPort({ name: value })],
  ['an appProtocol', (value) => withPort({ appProtocol: value })],
  ['a target port', (value) => withPort({ targetPort: value })],
  ['an externalName', (value) => ({ ...service, type: 'ExternalName', externalName: value })],
  ['the Service of a slice', (value) => withSlice({ serviceName: value })],
  ['a slice port name', (value) => withSlice({ ports: [{ ...slice.ports[0]!, name: value }] })],
  ['a slice address', (value) => withSlice({ endpoints: [{ ...slice.endpoints[0]!, addresses: [value] }] })],
  ['a zone', (value) => withSlice({ endpoints: [{ ...slice.endpoints[0]!, zone: value }] })],
  ['an Endpoints address', (value): Endpoints => ({ ...endpoints, subsets: [{ ...endpoints.subsets[0]!, addresses: [value] }] })],
]);

const ANNOTATIONS = [...SUPPORTED, ...KNOWN_ANNOTATIONS.keys()].map((name): [string, (value: string) => KubeObject] => [`the annotation ${name}`, (value) => withAnnotation(`nginx.ingress.kubernetes.io/${name}`, value)]);

for (const [field, make] of new Map([...FIELDS, ...ANNOTATIONS])) {
  test(`${field} may be anything, and nothing else notices`, (t) => {
    for (const value of HOSTILE) {
      const store = storeOf(GOOD);
      for (const object of [ingress, service, slice, make(value)]) store.put(object);
      const { sections, problems } = runOnce(store, {}, new Map([[value.toLowerCase(), { addresses: [value] }]]));
      const shown = JSON.stringify(value.slice(0, 30));
      t.is(answerTo(sections, 'good.example', '/'), 'default/good:80', shown);
      t.deepEqual(problems.filter(({ reason }) => reason === 'InternalError'), [], shown);
      for (const { message } of problems) t.true(message.length < 1000 && !/[\0\r\n]/.test(message), shown);
      for (const section of Object.values(sections)) for (const key of Object.keys(section)) t.true(key.includes('/'), shown);
    }
  });
}
