// Certificates as openssl makes them, read by certs/: what is served, in which order, what is refused and in which words. What
// is accepted here must be accepted by a TLS server too, and no text may hold a part of a key.
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import test from 'ava';
import fc from 'fast-check';
import { canonicalName, readAltNames } from '../../certs/names.ts';
import { covers, parseCertificate } from '../../certs/parse.ts';
import type { ParsedCertificate } from '../../certs/parse.ts';
import { readPem } from '../../certs/pem.ts';

let folder = '';
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-certs-'));
  authority('root');
  issue('middle', { by: 'root', extensions: 'basicConstraints=critical,CA:TRUE' });
  issue('leaf', { by: 'middle', extensions: 'subjectAltName=DNS:Shop.Example.com,DNS:*.example.org,IP:192.0.2.1,IP:2001:db8::1,email:a@example.net' });
});
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
}
function file(name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}
/** A self-signed CA. */
function authority(name: string, algorithm: readonly string[] = ['rsa:2048']): void {
  openssl('req', '-x509', '-newkey', ...algorithm, '-nodes', '-keyout', `${name}.key`, '-out', `${name}.crt`, '-days', '30', '-subj', `/CN=${name}`);
}
interface Issue {
  readonly by: string;
  readonly algorithm?: readonly string[];
  readonly extensions?: string;
  readonly subject?: string;
  readonly sign?: readonly string[];
}
function issue(name: string, { by, algorithm = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], extensions = 'basicConstraints=CA:FALSE', subject = `/CN=${name}`, sign = ['-days', '30'] }: Issue): void {
  writeFileSync(join(folder, `${name}.ext`), extensions);
  openssl('req', '-newkey', ...algorithm, '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject);
  openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${by}.crt`, '-CAkey', `${by}.key`, '-CAcreateserial', '-out', `${name}.crt`, '-extfile', `${name}.ext`, ...sign);
}

type Good = Extract<ParsedCertificate, { certificate: unknown }>;
function good(parsed: ParsedCertificate): Good {
  if ('problems' in parsed) throw new Error(parsed.problems.join('; '));
  // The promise of the parser: a worker's TLS server takes it.
  createSecureContext({ cert: parsed.certificate.chainPem, key: parsed.certificate.keyPem });
  return parsed;
}
function problems(parsed: ParsedCertificate): string {
  if (!('problems' in parsed)) throw new Error('it was accepted');
  return parsed.problems.join('; ');
}
const subjects = (chainPem: string): readonly string[] => [...chainPem.matchAll(/-----BEGIN[^]*?END CERTIFICATE-----/g)].map(([pem]) => new X509Certificate(pem).subject.replace('CN=', ''));
const reasons = (parsed: ParsedCertificate): readonly string[] => good(parsed).notes.map(({ reason }) => reason);

test('a chain in order is taken as it is, with the names of its leaf', (t) => {
  const { certificate, notes } = good(parseCertificate(file('leaf.crt') + file('middle.crt') + file('root.crt'), file('leaf.key')));
  t.deepEqual(notes, []);
  t.deepEqual(certificate.hostnames, ['shop.example.com', '*.example.org', '192.0.2.1', '2001:db8::1']);
  t.deepEqual(subjects(certificate.chainPem), ['leaf', 'middle', 'root']);
  t.is(certificate.notAfter, new Date(new X509Certificate(file('leaf.crt')).validTo).getTime());
  t.regex(certificate.name, /^sha256\/[0-9a-f]{64}$/);
});

test('the name depends on what is in chain and key, not on how it is written', (t) => {
  const { certificate } = good(parseCertificate(file('leaf.crt'), file('leaf.key')));
  const rewritten = good(parseCertificate(Buffer.from(`subject=leaf\r\n${file('leaf.crt').replaceAll('\n', '\r\n')}`), `\n\n${file('leaf.key')}`));
  t.is(rewritten.certificate.name, certificate.name);
  t.not(good(parseCertificate(file('leaf.crt') + file('middle.crt'), file('leaf.key'))).certificate.name, certificate.name);
  t.is(certificate.name, `sha256/${createHash('sha256').update(`${certificate.chainPem}\0${certificate.keyPem}`).digest('hex')}`);
});

test('a chain out of order is put in order, repeats are dropped, and strays are sent last; both are noted', (t) => {
  const reversed = parseCertificate(file('root.crt') + file('middle.crt') + file('leaf.crt') + file('leaf.crt'), file('leaf.key'));
  t.deepEqual(subjects(good(reversed).certificate.chainPem), ['leaf', 'middle', 'root']);
  t.deepEqual(reasons(reversed), ['ChainOutOfOrder']);
  authority('stranger');
  const stray = parseCertificate(file('leaf.crt') + file('middle.crt') + file('stranger.crt'), file('leaf.key'));
  t.deepEqual(reasons(stray), ['StrayCertificate']);
  t.deepEqual(subjects(good(parseCertificate(file('stranger.crt') + file('middle.crt') + file('leaf.crt'), file('leaf.key'))).certificate.chainPem), ['leaf', 'middle', 'stranger']);
});

test('an issuer that only has the right name is no issuer', (t) => {
  const real = file('middle.crt');
  issue('false-middle', { by: 'root', subject: '/CN=middle', extensions: 'basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=none' });
  const parsed = good(parseCertificate(file('leaf.crt') + file('false-middle.crt') + real, file('leaf.key')));
  t.is(parsed.certificate.chainPem.split('-----BEGIN').length, 4);
  t.deepEqual(parsed.notes.map(({ reason }) => reason), ['StrayCertificate']);
});

const KEYS: readonly (readonly [what: string, algorithm: readonly string[], ...conversions: (readonly string[])[]])[] = [
  ['RSA', ['rsa:2048'], ['rsa', '-traditional'], ['pkcs8', '-topk8', '-nocrypt']],
  ['ECDSA P-256', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], ['ec'], ['pkcs8', '-topk8', '-nocrypt']],
  ['ECDSA P-384', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'], ['ec']],
  ['Ed25519', ['ed25519'], ['pkcs8', '-topk8', '-nocrypt']],
];
for (const [what, algorithm, ...conversions] of KEYS) {
  test(`${what} keys are taken in every form that openssl writes`, (t) => {
    const name = `key-${what.replace(' ', '-')}`;
    issue(name, { by: 'root', algorithm, extensions: 'subjectAltName=DNS:a.example.com' });
    const { certificate } = good(parseCertificate(file(`${name}.crt`), file(`${name}.key`)));
    for (const [index, [command = '', ...options]] of conversions.entries()) {
      openssl(command, '-in', `${name}.key`, '-out', `${name}-${index}.key`, ...options);
      t.is(good(parseCertificate(file(`${name}.crt`), file(`${name}-${index}.key`))).certificate.name, certificate.name);
    }
    t.deepEqual(certificate.hostnames, ['a.example.com']);
  });
}

test('EC parameters before the key, as openssl ecparam writes them, do no harm', (t) => {
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-out', 'param.key');
  openssl('req', '-x509', '-key', 'param.key', '-out', 'param.crt', '-days', '3', '-subj', '/CN=param.example.com');
  t.regex(file('param.key'), /BEGIN EC PARAMETERS/);
  t.deepEqual(good(parseCertificate(file('param.crt'), file('param.key'))).certificate.hostnames, ['param.example.com']);
});

test('the common name counts only where there is no alternative name at all', (t) => {
  issue('cn', { by: 'root', subject: '/O=x/CN=Only.Example.com' });
  t.deepEqual(good(parseCertificate(file('cn.crt'), file('cn.key'))).certificate.hostnames, ['only.example.com']);
  issue('cn-mail', { by: 'root', subject: '/CN=not.example.com', extensions: 'subjectAltName=email:a@example.com' });
  const parsed = good(parseCertificate(file('cn-mail.crt'), file('cn-mail.key')));
  t.deepEqual(parsed.certificate.hostnames, []);
  t.deepEqual(parsed.notes.map(({ reason }) => reason), ['NoHostname']);
  issue('cn-text', { by: 'root', subject: '/CN=Shop of the month' });
  t.deepEqual(good(parseCertificate(file('cn-text.crt'), file('cn-text.key'))).certificate.hostnames, []);
});

test('an alternative name cannot pretend to be several', (t) => {
  issue('quoted', { by: 'root', extensions: 'subjectAltName=@names\n[names]\nDNS.1=good.example.com\nURI.1=http://x/, DNS:evil.example.com\nDNS.2=a"b, DNS:evil.example.org\ndirName.1=dn\n[dn]\nCN=x, DNS:evil.example.net' });
  const text = new X509Certificate(file('quoted.crt')).subjectAltName ?? '';
  for (const evil of ['evil.example.com', 'evil.example.org', 'evil.example.net']) t.true(text.includes(evil), text);
  t.deepEqual(good(parseCertificate(file('quoted.crt'), file('quoted.key'))).certificate.hostnames, ['good.example.com']);
});

test('alternative names are read token by token', (t) => {
  t.deepEqual(readAltNames('DNS:a.example, IP Address:10.0.0.1, URI:"http://x/, DNS:b", othername:<unsupported>, DNS:"\\u0000c\\"", DNS:d'), [
    { type: 'DNS', value: 'a.example' },
    { type: 'IP Address', value: '10.0.0.1' },
    { type: 'URI', value: 'http://x/, DNS:b' },
    { type: 'othername', value: '<unsupported>' },
    { type: 'DNS', value: '\0c"' },
    { type: 'DNS', value: 'd' },
  ]);
  t.deepEqual(readAltNames('DNS:a, nonsense, DNS:b'), [{ type: 'DNS', value: 'a' }]);
  t.deepEqual(readAltNames(''), []);
});

test('expired and not yet valid certificates are served, and noted', (t) => {
  const sound = parseCertificate(file('leaf.crt'), file('leaf.key'));
  const { notAfter } = good(sound).certificate;
  t.deepEqual(reasons(parseCertificate(file('leaf.crt'), file('leaf.key'), notAfter + 1000)), ['CertificateExpired']);
  const early = good(parseCertificate(file('leaf.crt'), file('leaf.key'), 0));
  t.deepEqual(early.notes.map(({ reason }) => reason), ['CertificateNotYetValid']);
  t.regex(early.notes[0]?.message ?? '', /is not valid before \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
});

test('a signature by SHA-1 is noted, but not the one of a root, which nobody checks', (t) => {
  issue('sha1', { by: 'root', algorithm: ['rsa:2048'], sign: ['-days', '3', '-sha1'] });
  t.deepEqual(reasons(parseCertificate(file('sha1.crt'), file('sha1.key'))), ['WeakSignature']);
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'sha1root.key', '-out', 'sha1root.crt', '-days', '3', '-subj', '/CN=sha1root.example.com', '-sha1');
  t.deepEqual(reasons(parseCertificate(file('sha1root.crt'), file('sha1root.key'))), []);
});

test('keys that no TLS server or client would take are refused', (t) => {
  issue('short', { by: 'root', algorithm: ['rsa:1024'] });
  t.regex(problems(parseCertificate(file('short.crt'), file('short.key'))), /RSA key of 1024 bits; at least 2048/);
  t.throws(() => createSecureContext({ cert: file('short.crt'), key: file('short.key') }), undefined, 'which is why');
  authority('short-ca', ['rsa:1024']);
  issue('under-short', { by: 'short-ca' });
  t.regex(problems(parseCertificate(file('under-short.crt') + file('short-ca.crt'), file('under-short.key'))), /1024 bits/);
  issue('curve', { by: 'root', algorithm: ['ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'] });
  t.regex(problems(parseCertificate(file('curve.crt'), file('curve.key'))), /the curve secp256k1; P-256, P-384 and P-521 are allowed/);
});

test('what is no certificate, no key, or not the key of the certificate is refused with a reason', (t) => {
  const [crt, key] = [file('leaf.crt'), file('leaf.key')];
  t.regex(problems(parseCertificate(crt, file('middle.key'))), /belongs to none of the 1 certificate/);
  t.regex(problems(parseCertificate(crt, file('root.key'))), /belongs to none/);
  t.regex(problems(parseCertificate('', '')), /no CERTIFICATE block; there is no PRIVATE KEY block/);
  t.regex(problems(parseCertificate(crt.slice(0, 300), key)), /block that begins on line 1 has no end/);
  t.regex(problems(parseCertificate(crt.trimEnd() + crt, key)), /damaged BEGIN or END boundary/);
  t.regex(problems(parseCertificate(crt.replace('MII', 'M*I'), key)), /a character that is not base64/);
  t.regex(problems(parseCertificate(crt.replace(/\n.{20}/, '\n'), key)), /certificate 1 of the chain is no X\.509 certificate/);
  t.regex(problems(parseCertificate(crt.replace('END CERTIFICATE', 'END X'), key)), /ends a X block that did not begin/);
  t.regex(problems(parseCertificate(file('leaf.csr'), key)), /no CERTIFICATE block/);
  t.regex(problems(parseCertificate(crt, key.replace(/\n.{20}/, '\n'))), /no key that OpenSSL can read/);
  t.regex(problems(parseCertificate(crt, key + key)), /2 PRIVATE KEY blocks; exactly one is allowed/);
  t.regex(problems(parseCertificate(crt, crt)), /no PRIVATE KEY block/);
  t.regex(problems(parseCertificate(crt.repeat(101), key)), /holds 101 certificates; 100 are allowed/);
});

test('an encrypted key is refused in both its forms', (t) => {
  openssl('pkcs8', '-topk8', '-in', 'leaf.key', '-out', 'pkcs8-encrypted.key', '-passout', 'pass:x');
  openssl('ec', '-in', 'leaf.key', '-out', 'sec1-encrypted.key', '-aes128', '-passout', 'pass:x');
  t.regex(file('sec1-encrypted.key'), /Proc-Type/);
  for (const name of ['pkcs8-encrypted.key', 'sec1-encrypted.key']) t.regex(problems(parseCertificate(file('leaf.crt'), file(name))), /the private key is encrypted/);
});

test('a key that was put beside the certificates is left out of the chain', (t) => {
  const { certificate, notes } = good(parseCertificate(file('leaf.key') + file('leaf.crt'), file('leaf.key')));
  t.notRegex(certificate.chainPem, /PRIVATE/);
  t.deepEqual(notes, [{ reason: 'ForeignPemBlock', message: 'the certificate chain also holds PRIVATE KEY, which is left out' }]);
});

test('damaged input never throws, and no text quotes it', (t) => {
  const key = file('leaf.key');
  const lines = key.split('\n').filter((line) => line !== '' && !line.startsWith('-'));
  const damaged = (text: string): fc.Arbitrary<string> =>
    fc.tuple(fc.nat(text.length), fc.nat(40), fc.oneof(fc.string(), fc.constantFrom('\n', '-----', ' ', '\0', 'é'))).map(([at, length, insert]) => text.slice(0, at) + insert + text.slice(at + length));
  fc.assert(
    fc.property(damaged(file('leaf.crt') + key), damaged(key), fc.boolean(), (chain, broken, swap) => {
      const parsed = swap ? parseCertificate(broken, chain) : parseCertificate(chain, broken);
      const said = JSON.stringify('problems' in parsed ? parsed.problems : parsed.notes);
      for (const line of lines) t.false(said.includes(line.slice(0, 12)));
      if ('certificate' in parsed) createSecureContext({ cert: parsed.certificate.chainPem, key: parsed.certificate.keyPem });
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test('PEM text between blocks is allowed, and labels and lines are kept apart', (t) => {
  t.deepEqual(readPem('Bag Attributes: x\n-----BEGIN A-----\nAAAA\n-----END A-----\n\n-----BEGIN B C-----\r\n BBBB \r\n-----END B C-----'), {
    blocks: [
      { label: 'A', pem: '-----BEGIN A-----\nAAAA\n-----END A-----\n', encrypted: false },
      { label: 'B C', pem: '-----BEGIN B C-----\nBBBB\n-----END B C-----\n', encrypted: false },
    ],
  });
  t.deepEqual(readPem('-----BEGIN A-----\n-----BEGIN B-----'), { error: 'line 2 begins another block before the A block of line 1 has ended' });
});

test('a certificate covers its names, and one label under a wildcard', (t) => {
  const certificate = { hostnames: ['shop.example.com', '*.example.org', '192.0.2.1', '2001:db8::1', '*.0.2.1'] };
  for (const name of ['shop.example.com', 'SHOP.example.com', 'shop.example.com.', 'a.example.org', '*.example.org', '192.0.2.1', '2001:DB8:0:0::1']) t.true(covers(certificate, name), name);
  for (const name of ['', '.', 'example.com', 'example.org', '.example.org', 'a.b.example.org', 'xshop.example.com', '192.0.2.2', '10.0.2.1', '::1', 'shop.example.com\0', 'shop.example.com:443', `${'a'.repeat(64)}.example.org`]) t.false(covers(certificate, name), name);
});

test('names are brought into one form, and what is no name into none', (t) => {
  for (const [name, canonical] of [['A.b', 'a.b'], ['a.', 'a'], ['*.A', '*.a'], ['::FFFF', '::ffff'], ['0:0:0:0:0:0:0:1', '::1'], ['a_b.c', 'a_b.c']] as const) t.is(canonicalName(name), canonical);
  for (const name of ['', '*', 'a..b', '-a', 'a-', 'a b', 'a/b', '::1]/x', 'fe80::1%eth0', 'ä.de', 'a\0', '*.', '*a.b', `${'a.'.repeat(130)}a`]) t.is(canonicalName(name), '', name);
});
