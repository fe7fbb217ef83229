// Searches everything that comes out of Fairlead for private keys: logs, tables, Problems, metrics, command output and errors,
// while it is given good Secrets and every kind of bad one. The one place where a key is written is the saved table, and that
// only this process's user can read.
import { createPrivateKey } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { startBackend } from '../support/fairlead-backend.ts';
import { eventually, get } from '../support/fairlead-http.ts';
import { documents, endpoints, service } from '../support/fairlead-manifests.ts';
import { runCli, startFairlead, temporaryFolder } from '../support/fairlead-run.ts';
import { ask } from '../support/https-client.ts';
import { authority, issue, keyAs } from '../support/pki.ts';
import type { Identity } from '../support/pki.ts';
import { ingressOf, secretOf } from '../support/tls-manifests.ts';

const CA = authority('authority');
const [good, rsa, other, weak, client] = [issue(CA, 'good', { names: ['good.test'] }), issue(CA, 'rsa', { names: ['rsa.test'], key: 'rsa' }), issue(CA, 'other', { names: ['other.test'] }), issue(CA, 'weak', { names: ['weak.test'], until: -1 }), issue(CA, 'client')] as const;
const ALL = [CA, good, rsa, other, weak, client] as const;

/** Pieces of a key in every form in which it might be shown: long enough that nothing else holds them. */
function pieces({ keyPem, key }: Identity): string[] {
  const der = createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' });
  const { d = '' } = key.export({ format: 'jwk' });
  const secret = Buffer.from(d, 'base64url');
  const forms = [secret.toString('base64'), secret.toString('base64url'), secret.toString('hex'), secret.toString('hex').toUpperCase(), [...secret].join(','), der.toString('hex')];
  const lines = [keyPem, keyAs({ ...ALL[0], keyPem }, key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1')].flatMap((pem) => pem.split('\n').filter((line) => line.length === 64));
  // A Secret's own encoding of the PEM, wherever it is cut.
  const encoded = [0, 1, 2].map((skip) => Buffer.from(keyPem.slice(80 + skip, 130 + skip)).toString('base64').slice(0, 48));
  return [...forms.map((form) => form.slice(8, 40)), ...lines.map((line) => line.slice(8, 40)), ...encoded].filter((piece) => piece.length >= 24);
}

const PIECES = ALL.flatMap(pieces);

/** What a text holds that it must not. */
function leaks(text: string): string[] {
  return [...(/PRIVATE KEY-----\s+\S/.test(text) ? ['a PEM block'] : []), ...PIECES.filter((piece) => text.includes(piece))];
}

function site(port: number): string {
  const pair = (cert: string, key: string): Record<string, string> => ({ 'tls.crt': cert, 'tls.key': key });
  const secrets: Readonly<Record<string, Record<string, string>>> = {
    good: pair(good.certPem, good.keyPem), rsa: pair(rsa.certPem, keyAs(rsa, 'pkcs1')), weak: pair(weak.certPem, weak.keyPem), mismatch: pair(good.certPem, other.keyPem), swapped: pair(other.keyPem, other.certPem),
    both: pair(good.certPem + good.keyPem, good.keyPem), cut: pair(other.certPem, other.keyPem.slice(0, -30)), damaged: pair(other.certPem, other.keyPem.replace(/\n(.)/, '\n$1!')), doubled: pair(other.certPem, other.keyPem + good.keyPem),
    encrypted: pair(other.certPem, createPrivateKey(other.keyPem).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString()), oneline: pair(other.certPem, other.keyPem.replaceAll('\n', ' ')),
    peer: { 'ca.crt': CA.certPem, ...pair(client.certPem, client.keyPem) }, keyasca: { 'ca.crt': CA.keyPem }, crlkey: { 'ca.crt': CA.certPem, 'ca.crl': other.keyPem },
  };
  const hosts = Object.keys(secrets).map((name) => ingressOf(name, `${name}.test`, { tls: name }));
  // An annotation is no secret: what is written there is shown, shortened.
  const annotations: readonly Readonly<Record<string, string>>[] = [
    { 'auth-tls-secret': 'shop/peer', 'auth-tls-pass-certificate-to-upstream': 'true' }, { 'auth-tls-secret': 'shop/keyasca' }, { 'auth-tls-secret': 'shop/crlkey' },
    { 'proxy-ssl-secret': 'shop/peer', 'proxy-ssl-verify': 'on' }, { 'proxy-ssl-secret': 'shop/mismatch' }, { 'proxy-ssl-secret': 'shop/keyasca' },
  ];
  return documents(service('web'), endpoints('web', port), ...Object.entries(secrets).map(([name, data]) => secretOf(name, data)), ...hosts, ...annotations.map((each, at) => ingressOf(`annotated-${at}`, `annotated-${at}.test`, { annotations: { 'backend-protocol': 'HTTPS', ...each } })));
}

test('no key is in a log, a table, a Problem, a metric or an error', async (t) => {
  const port = await startBackend(t, 'web');
  const state = join(temporaryFolder(t), 'state');
  const fairlead = await startFairlead(t, { files: { 'site.yaml': site(port), 'broken.yaml': `{data: {tls.key: ${Buffer.from(other.keyPem).toString('base64')}` }, args: ['--log-level', 'debug', '--state-dir', state] });
  for (const name of ['good.test', 'rsa.test', 'weak.test', 'mismatch.test', 'nobody.test', 'annotated-0.test', 'annotated-1.test', 'annotated-3.test']) {
    await ask(fairlead.https, name, { client }).catch(() => undefined);
    await get(fairlead.http, '/', { host: name }).catch(() => undefined);
  }
  t.like(await ask(fairlead.https, 'good.test'), { status: 200, cn: 'good' });
  fairlead.write('more.yaml', documents(secretOf('good', { 'tls.crt': good.certPem, 'tls.key': rsa.keyPem }), `{apiVersion: v1, kind: Secret, metadata: {name: plain, namespace: shop}, stringData: {tls.key: "${other.keyPem.replaceAll('\n', '\\n')}"}, data: 7}`));
  await eventually('the change is told', async () => (await get(fairlead.admin, '/problems')).body.includes('more.yaml'));
  const seen: Record<string, string> = {};
  for (const path of ['/', '/table', '/table?output=json', '/problems', '/problems?output=json', '/metrics', '/healthz', '/readyz', '/none']) seen[path] = (await get(fairlead.admin, path)).body;
  for (const [name, args] of Object.entries({ check: ['check', fairlead.dir], table: ['table', fairlead.dir], json: ['table', fairlead.dir, '--output', 'json'], explain: ['explain', fairlead.dir, 'https://good.test/'], explained: ['explain', fairlead.dir, 'https://good.test/', '--output', 'json'], flag: ['run', '--ssl-ciphers', 'x'] })) {
    const { stdout, stderr } = await runCli(args);
    seen[name] = stdout + stderr;
  }
  await eventually('a saved table', () => statSync(join(state, 'table'), { throwIfNoEntry: false }) !== undefined);
  await fairlead.stop();
  seen['log'] = fairlead.log.map((line) => JSON.stringify(line)).join('\n');
  seen['access log'] = fairlead.accessLog.map((line) => JSON.stringify(line)).join('\n');
  for (const [name, text] of Object.entries(seen)) {
    t.true(text.length > 0, `${name} is empty`);
    t.deepEqual(leaks(text), [], name);
  }
  t.true(['check', 'log', '/problems'].every((name) => seen[name]?.includes('mismatch')), 'the bad Secrets have been told of');
  t.true(leaks(readFileSync(join(state, 'table'), 'utf8')).length > 0, 'this is how a leak looks: the saved table holds keys');
  t.is(statSync(join(state, 'table')).mode & 0o777, 0o600);
  t.is(statSync(state).mode & 0o777, 0o700);
});

test('no golden holds a key', (t) => {
  const folder = join(import.meta.dirname, '../golden');
  const files = readdirSync(folder);
  t.true(files.length > 20);
  for (const file of files) if (file.endsWith('.txt')) t.false(/BEGIN [A-Z ]*PRIVATE KEY|keyPem/.test(readFileSync(join(folder, file), 'utf8')), file);
});
