// Who is asked about certificates, what becomes of the answers, and that a responder that fails harms nothing.
import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { TAG, readConstructed, sequence } from '../../certs/der.ts';
import type { Der } from '../../certs/der.ts';
import { OcspWatcher } from '../../controller/ocsp.ts';
import type { Certificate, OcspStaple } from '../../proxy/table/certificate.ts';
import { eventually } from '../support/fairlead-http.ts';
import { ocspAnswer, startResponder } from '../support/ocsp-responder.ts';
import { authority, issue, pem, signed } from '../support/pki.ts';
import type { Identity } from '../support/pki.ts';

const CA = authority('issuer');

function watched(t: ExecutionContext): { readonly watcher: OcspWatcher; readonly staples: Map<string, OcspStaple | undefined> } {
  const staples = new Map<string, OcspStaple | undefined>();
  const watcher = new OcspWatcher((name, staple) => staples.set(name, staple));
  t.teardown(() => watcher.stop());
  return { watcher, staples };
}

function tableOf(...leaves: readonly Identity[]): Record<string, Certificate> {
  return Object.fromEntries(leaves.map(({ name, certPem, keyPem }) => [`sha256/${name}`, { name: `sha256/${name}`, hostnames: [], notAfter: 0, chainPem: certPem + CA.certPem, keyPem }]));
}

test('a certificate that names a responder is asked about once, and its answer is stapled', async (t) => {
  const responder = await startResponder(t);
  const leaf = issue(CA, 'leaf', { ocsp: responder.url });
  responder.answer = () => ocspAnswer(CA, leaf);
  const { watcher, staples } = watched(t);
  const table = tableOf(leaf, issue(CA, 'silent'));
  watcher.touched(Object.keys(table), table);
  await eventually('a staple', () => staples.size > 0);
  t.true((staples.get('sha256/leaf')?.validUntil ?? 0) > Date.now());
  watcher.touched(Object.keys(table), table);
  t.deepEqual([...staples.keys()], ['sha256/leaf']);
  t.is(responder.asked.length, 1);
  t.deepEqual(watcher.problems(), []);
  watcher.touched(Object.keys(table), {});
  t.deepEqual([...staples.entries()], [['sha256/leaf', undefined]], 'the answer goes with its certificate');
});

test('what is not believed is not stapled, and told', async (t) => {
  const responder = await startResponder(t);
  const leaf = issue(CA, 'leaf', { ocsp: responder.url });
  for (const [answer, reason, message] of [
    [() => ocspAnswer(authority('other'), leaf), 'OcspResponderFailed', /appointed/], [() => 500, 'OcspResponderFailed', /the status was 500/], [() => Buffer.alloc(100_000), 'OcspResponderFailed', /too long/],
    [() => ocspAnswer(CA, leaf, { status: 'revoked' }), 'CertificateRevoked', /is revoked/],
  ] as const) {
    responder.answer = answer;
    const { watcher, staples } = watched(t);
    const table = tableOf(leaf);
    watcher.touched(Object.keys(table), table);
    const [problem] = await eventually('a Problem', () => (watcher.problems().length > 0 ? watcher.problems() : undefined));
    t.is(problem?.reason, reason);
    t.regex(problem?.message ?? '', message);
    t.is(staples.get('sha256/leaf'), undefined);
    watcher.touched(Object.keys(table), {});
    t.deepEqual(watcher.problems(), [], 'a certificate that is gone is nobody\'s problem');
  }
});

test('nobody is sent to a link-local address, and a responder that is not there is told', async (t) => {
  const { watcher } = watched(t);
  const table = tableOf(issue(CA, 'metadata', { ocsp: 'http://169.254.169.254/latest' }), issue(CA, 'mapped', { ocsp: 'http://[::ffff:169.254.169.254]/' }), issue(CA, 'gone', { ocsp: 'http://127.0.0.1:9/' }));
  watcher.touched(Object.keys(table), table);
  await eventually('three Problems', () => watcher.problems().length === 3);
  const messages = watcher.problems().map(({ origin, message }) => `${origin.name} ${message}`).sort();
  t.regex(messages[0] ?? '', /^gone .*ECONNREFUSED/);
  t.regex(messages[1] ?? '', /^mapped .*link-local/);
  t.regex(messages[2] ?? '', /^metadata .*link-local/);
});

test('responders that answer with another protocol hold up nobody else', async (t) => {
  const changing = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'));
  });
  await new Promise<void>((resolve) => changing.listen(0, '127.0.0.1', resolve));
  t.teardown(() => changing.close());
  const responder = await startResponder(t);
  const leaf = issue(CA, 'leaf', { ocsp: responder.url });
  responder.answer = () => ocspAnswer(CA, leaf);
  const { watcher, staples } = watched(t);
  const url = `http://127.0.0.1:${(changing.address() as AddressInfo).port}/`;
  const table = tableOf(...Array.from({ length: 6 }, (_, at) => issue(CA, `changing-${at}`, { ocsp: url })), leaf);
  watcher.touched(Object.keys(table), table);
  await eventually('a staple', () => staples.get('sha256/leaf') !== undefined);
  await eventually('six Problems', () => watcher.problems().length === 6);
  for (const { message } of watcher.problems()) t.regex(message, /did not come: the status was 101$/);
});

test('certificates that OpenSSL reads and that are no proper DER hold up nobody else', async (t) => {
  const responder = await startResponder(t);
  const leaf = issue(CA, 'leaf', { ocsp: responder.url });
  responder.answer = () => ocspAnswer(CA, leaf);
  const { watcher, staples } = watched(t);
  const table = tableOf(...Array.from({ length: 6 }, (_, at) => withLongLength(issue(CA, `odd-${at}`, { ocsp: responder.url }))), leaf);
  watcher.touched(Object.keys(table), table);
  await eventually('a staple', () => staples.get('sha256/leaf') !== undefined);
  t.is(staples.size, 1);
});

/** The length of its serial number takes a byte more than it has to. */
function withLongLength(identity: Identity): Identity {
  const [body] = readConstructed(new X509Certificate(identity.certPem).raw) as [Der];
  const [version, serial, ...others] = readConstructed(body.whole) as [Der, Der, ...Der[]];
  const odd = Buffer.concat([Buffer.from([TAG.INTEGER, 0x81, serial.content.length]), serial.content]);
  return { ...identity, certPem: pem('CERTIFICATE', signed(sequence(version.whole, odd, ...others.map(({ whole }) => whole)), CA.key)) };
}
