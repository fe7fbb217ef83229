import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { selfSigned } from '../../certs/self-signed.ts';
import type { Certificate } from '../../proxy/table/certificate.ts';
import { Pipeline } from '../../controller/pipeline.ts';
import type { PipelineResult } from '../../controller/pipeline.ts';
import { readManifests, secretYaml, storeOf } from '../support/manifests.ts';
import { answerTo, documents, ingressYaml, problemLines, runOnce, serviceYaml, SETTINGS } from '../support/pipeline.ts';

const SHOP = selfSigned({ hostnames: ['shop.example'] });
const SHOP_2 = selfSigned({ hostnames: ['shop.example'] });
const WILD = selfSigned({ hostnames: ['*.example'] });
const OLD = selfSigned({ hostnames: ['shop.example'], days: 5 });

const secret = (name: string, { chainPem, keyPem }: Certificate): string => secretYaml(name, chainPem, keyPem);
const web = serviceYaml('web');
const shop = (tls: string, more: { name?: string; created?: string } = {}): string =>
  ingressYaml({ name: 'shop', host: 'shop.example', paths: ['Prefix / web'], spec: `tls: ${tls}`, ...more });

function served({ sections }: PipelineResult, hostname: string): string | undefined {
  return sections.virtualHosts[`http+https/${hostname}`]?.certificate;
}

function live(yaml: string, settings: Partial<typeof SETTINGS> = {}) {
  const store = storeOf(yaml);
  const pipeline = new Pipeline({ ...SETTINGS, ...settings });
  pipeline.run(store, new Map());
  return {
    put: (text: string): PipelineResult => pipeline.run(store, new Map(), readManifests(text).objects.map((object) => store.put(object))),
    remove: (key: string): PipelineResult => pipeline.run(store, new Map(), [store.remove('Secret', key)!]),
  };
}

test('the entry that lists the host names the certificate, and requests over http are redirected', (t) => {
  const result = runOnce(documents(web, secret('cert', SHOP), shop('[{hosts: [shop.example], secretName: cert}]')));
  t.is(served(result, 'shop.example'), SHOP.name);
  t.deepEqual(result.sections.certificates[SHOP.name], SHOP);
  t.deepEqual(result.sections.virtualHosts['http+https/shop.example']?.routes[0]?.filters.map(({ type }) => type), ['https-redirect']);
  t.deepEqual(result.problems, []);
});

test('a host that no entry lists gets the first certificate of its Ingress that covers it', (t) => {
  const result = runOnce(documents(web, secret('other', selfSigned({ hostnames: ['other.test'] })), secret('wild', WILD), shop('[{secretName: other}, {hosts: ["*.example"], secretName: wild}]')));
  t.is(served(result, 'shop.example'), WILD.name);
  t.deepEqual(result.problems, []);
});

test('the oldest Ingress with a tls section decides, even if its Secret is of no use', (t) => {
  const result = runOnce(
    documents(
      web,
      secret('cert', SHOP),
      ingressYaml({ name: 'oldest', host: 'shop.example', paths: ['Prefix /a web'], created: '2020-01-01T00:00:00Z' }),
      ingressYaml({ name: 'older', host: 'shop.example', paths: ['Prefix /b web'], created: '2021-01-01T00:00:00Z', spec: 'tls: [{hosts: [shop.example], secretName: missing}]' }),
      shop('[{hosts: [shop.example], secretName: cert}]', { created: '2022-01-01T00:00:00Z' }),
    ),
  );
  t.is(served(result, 'shop.example'), undefined);
  t.deepEqual(problemLines(result), ['InvalidCertificateRef DefaultUsed Ingress older spec.tls[0].secretName']);
  const filters = result.sections.virtualHosts['http+https/shop.example']!.routes.map((route) => route.filters.length);
  t.deepEqual(filters, [1, 1, 1], 'the host has TLS all the same, for the routes of every Ingress');
});

const otherKey = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } }).privateKey;

for (const [title, yaml, pattern] of [
  ['missing', '', /there is no Secret "default\/cert"/],
  ['no certificate', secretYaml('cert', 'nonsense', 'nonsense'), /cannot be served/],
  ['with a key that belongs to another certificate', secretYaml('cert', SHOP.chainPem, otherKey), /key belongs to none/],
  ['for another host', secret('cert', selfSigned({ hostnames: ['other.test'] })), /does not cover it; it covers "other\.test"/],
  ['without a key', '{apiVersion: v1, kind: Secret, type: Opaque, metadata: {name: cert}, stringData: {tls.crt: x}}', /has no tls\.key/],
] as const) {
  test(`a Secret that is ${title} leaves the default certificate and the redirect`, (t) => {
    const result = runOnce(documents(web, yaml, shop('[{hosts: [shop.example], secretName: cert}]')));
    t.is(served(result, 'shop.example'), undefined);
    t.deepEqual(problemLines(result), ['InvalidCertificateRef DefaultUsed Ingress shop spec.tls[0].secretName']);
    t.regex(result.problems[0]!.message, pattern);
    t.is(result.sections.virtualHosts['http+https/shop.example']!.routes[0]!.filters.length, 1);
  });
}

test('an Opaque Secret with the same two keys is as good', (t) => {
  const opaque = `{apiVersion: v1, kind: Secret, type: Opaque, metadata: {name: cert}, stringData: {tls.crt: ${JSON.stringify(SHOP.chainPem)}, tls.key: ${JSON.stringify(SHOP.keyPem)}}}`;
  t.is(served(runOnce(documents(web, opaque, shop('[{hosts: [shop.example], secretName: cert}]'))), 'shop.example'), SHOP.name);
});

test('a new certificate in the Secret is served, and the old one leaves the table', (t) => {
  const { put } = live(documents(web, secret('cert', SHOP), shop('[{hosts: [shop.example], secretName: cert}]')));
  const result = put(secret('cert', SHOP_2));
  t.is(served(result, 'shop.example'), SHOP_2.name);
  t.deepEqual(Object.keys(result.sections.certificates).sort(), [SETTINGS.selfSigned.name, SHOP_2.name].sort());
});

test('the good certificate stays in service while the Secret holds a bad one, and goes with the Secret', (t) => {
  const { put, remove } = live(documents(web, secret('cert', SHOP), shop('[{hosts: [shop.example], secretName: cert}]')));
  const bad = put(secretYaml('cert', 'nonsense', 'nonsense'));
  t.is(served(bad, 'shop.example'), SHOP.name);
  t.deepEqual(problemLines(bad), ['InvalidCertificateRef ValueIgnored Ingress shop spec.tls[0].secretName']);
  t.is(served(put(secret('cert', selfSigned({ hostnames: ['other.test'] }))), 'shop.example'), SHOP.name);
  t.is(served(put(secret('cert', SHOP_2)), 'shop.example'), SHOP_2.name);
  t.is(served(remove('default/cert'), 'shop.example'), undefined);
  t.is(served(put(secretYaml('cert', 'nonsense', 'nonsense')), 'shop.example'), undefined, 'what was removed does not come back');
});

test('an expired certificate takes the place of none that ends later', (t) => {
  const clock = { now: () => Date.now() + 6 * 86_400_000 };
  const { put } = live(documents(web, secret('cert', SHOP), shop('[{hosts: [shop.example], secretName: cert}]')), { ...clock, defaultSslCertificate: 'default/cert' });
  const back = put(secret('cert', OLD));
  t.is(served(back, 'shop.example'), SHOP.name);
  t.is(back.sections.listeners['listener/https']?.tls?.defaultCertificate, SHOP.name);
  t.deepEqual(problemLines(back), ['InvalidCertificateRef ValueIgnored Flag --default-ssl-certificate', 'InvalidCertificateRef ValueIgnored Ingress shop spec.tls[0].secretName']);
  t.is(served(put(secret('cert', SHOP_2)), 'shop.example'), SHOP_2.name);
});

test('a host whose Ingress now names another Secret does not keep the certificate of the one before', (t) => {
  const { put } = live(documents(web, secret('cert', SHOP), shop('[{hosts: [shop.example], secretName: cert}]')));
  t.is(served(put(documents(secretYaml('next', 'x', 'x'), shop('[{hosts: [shop.example], secretName: next}]'))), 'shop.example'), undefined);
});

test('--default-ssl-certificate is the default of the TLS listener, and the self-signed one while it is bad', (t) => {
  const good = runOnce(secret('cert', WILD), { defaultSslCertificate: 'default/cert' });
  t.is(good.sections.listeners['listener/https']?.tls?.defaultCertificate, WILD.name);
  t.is(good.sections.listeners['listener/http']?.tls, undefined);
  t.deepEqual(Object.keys(good.sections.certificates), [WILD.name]);
  const bad = runOnce('', { defaultSslCertificate: 'default/cert' });
  t.is(bad.sections.listeners['listener/https']?.tls?.defaultCertificate, SETTINGS.selfSigned.name);
  t.deepEqual(problemLines(bad), ['InvalidCertificateRef DefaultUsed Flag --default-ssl-certificate']);
});

test('the default certificate follows its Secret', (t) => {
  const store = storeOf('');
  const pipeline = new Pipeline({ ...SETTINGS, defaultSslCertificate: 'default/cert' });
  pipeline.run(store, new Map());
  const { sections, touched } = pipeline.run(store, new Map(), readManifests(secret('cert', WILD)).objects.map((object) => store.put(object)));
  t.is(sections.listeners['listener/https']?.tls?.defaultCertificate, WILD.name);
  t.deepEqual([...touched.listeners], ['listener/https']);
});

test('a certificate that ends soon is served, and its Secret is told', (t) => {
  const result = runOnce(documents(web, secret('cert', OLD), shop('[{hosts: [shop.example], secretName: cert}]')));
  t.is(served(result, 'shop.example'), OLD.name);
  t.deepEqual(problemLines(result), ['CertificateExpiresSoon None Secret cert data[tls.crt]']);
  const later = runOnce(documents(web, secret('cert', OLD), shop('[{hosts: [shop.example], secretName: cert}]')), { now: () => Date.now() + 6 * 86_400_000 });
  t.is(served(later, 'shop.example'), OLD.name);
  t.deepEqual(problemLines(later), ['CertificateExpired None Secret cert data[tls.crt]']);
  const [end, endOfLater] = [result, later].map(({ problems }) => / at (\S+)$/.exec(problems[0]!.message)?.[1] ?? '');
  t.regex(end ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  t.is(end, endOfLater, 'the same time in the same words');
});

test('force-ssl-redirect works without TLS, and ssl-redirect: false keeps http open', (t) => {
  const filters = (annotations: string, spec?: string): string[] => {
    const ingress = ingressYaml({ name: 'a', host: 'shop.example', paths: ['Prefix / web'], annotations, ...(spec !== undefined && { spec }) });
    return runOnce(documents(web, secret('cert', SHOP), ingress)).sections.virtualHosts['http+https/shop.example']!.routes[0]!.filters.map(({ type }) => type);
  };
  const tls = 'tls: [{hosts: [shop.example], secretName: cert}]';
  t.deepEqual(filters(''), []);
  t.deepEqual(filters('fairlead.dev/force-ssl-redirect: "true"'), ['https-redirect']);
  t.deepEqual(filters('fairlead.dev/ssl-redirect: "false"', tls), []);
  t.deepEqual(filters('fairlead.dev/force-ssl-redirect: "true"', tls), ['https-redirect']);
});

test('no Problem ever quotes a key', (t) => {
  const swapped = secretYaml('cert', SHOP.keyPem, SHOP.keyPem);
  const cut = secretYaml('cut', SHOP.chainPem, SHOP.keyPem.slice(0, -100));
  const result = runOnce(documents(web, swapped, cut, shop('[{hosts: [shop.example], secretName: cert}, {secretName: cut}]')), { defaultSslCertificate: 'default/cut' });
  t.is(answerTo(result.sections, 'shop.example', '/'), 'default/web:80');
  const text = JSON.stringify(result.problems);
  t.true(result.problems.length >= 2);
  for (const line of SHOP.keyPem.split('\n').filter((each) => each.length > 20 && !each.startsWith('-----'))) t.false(text.includes(line.slice(0, 20)));
});

const wildcard = (tls: string, created?: string): string => ingressYaml({ name: 'wild', host: '*.example', paths: ['Prefix / web'], spec: `tls: ${tls}`, ...(created !== undefined && { created }) });
const plain = (host: string): string => ingressYaml({ name: host.replaceAll('.', '-'), host, paths: ['Prefix / web'] });
const redirects = ({ sections }: PipelineResult, hostname: string): boolean => sections.virtualHosts[`http+https/${hostname}`]!.routes.some(({ filters }) => filters.some(({ type }) => type === 'https-redirect'));

test('a host without a tls section has that of the wildcard above it: certificate and redirect', (t) => {
  const result = runOnce(documents(web, secret('cert', WILD), wildcard('[{hosts: ["*.example"], secretName: cert}]'), plain('a.example'), plain('b.a.example'), plain('other.test')));
  t.deepEqual(['a.example', 'b.a.example', 'other.test'].map((hostname) => [served(result, hostname), redirects(result, hostname)]), [[WILD.name, true], [undefined, false], [undefined, false]]);
  t.deepEqual(result.problems, []);
});

test('a section of its own is all that a host has, and what the wildcard\'s certificate does not cover has the default one', (t) => {
  const wide = selfSigned({ hostnames: ['*.example'] });
  const own = runOnce(documents(web, secret('cert', wide), secret('shop', SHOP), wildcard('[{secretName: cert}]'), shop('[{secretName: shop}]')));
  t.is(served(own, 'shop.example'), SHOP.name);
  const narrow = runOnce(documents(web, secret('cert', SHOP), wildcard('[{hosts: ["*.example"], secretName: cert}]'), plain('a.example')));
  t.deepEqual([served(narrow, 'a.example'), redirects(narrow, 'a.example')], [undefined, true]);
  t.deepEqual(problemLines(narrow), ['InvalidCertificateRef DefaultUsed Ingress wild spec.tls[0].secretName'], 'told once, with the wildcard');
});

test('hosts below a wildcard follow its section, its Secret and its coming and going', (t) => {
  const second = selfSigned({ hostnames: ['*.example'] });
  const store = storeOf(documents(web, secret('cert', WILD), plain('a.example')));
  const pipeline = new Pipeline(SETTINGS);
  pipeline.run(store, new Map());
  const put = (text: string): PipelineResult => pipeline.run(store, new Map(), readManifests(text).objects.map((object) => store.put(object)));
  const state = (result: PipelineResult): unknown => [served(result, 'a.example'), redirects(result, 'a.example'), Object.keys(result.sections.certificates).length];
  t.deepEqual(state(put(wildcard('[{secretName: cert}]'))), [WILD.name, true, 2]);
  t.deepEqual(state(put(secret('cert', second))), [second.name, true, 2]);
  t.deepEqual(state(put(wildcard('[]'))), [undefined, false, 1]);
  t.deepEqual(state(put(wildcard('[{secretName: cert}]'))), [second.name, true, 2]);
  t.deepEqual(state(pipeline.run(store, new Map(), [store.remove('Ingress', 'default/wild')!])), [undefined, false, 1]);
});
