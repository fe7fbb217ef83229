// OCSP: the question that OpenSSL understands too, and answers that are believed or not.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { ocspRequest, ocspSubject, readOcspAnswer } from '../../certs/ocsp.ts';
import type { OcspSubject } from '../../certs/ocsp.ts';
import { ocspAnswer } from '../support/ocsp-responder.ts';
import { folder, withOpenssl } from '../support/openssl.ts';
import { authority, issue } from '../support/pki.ts';

const CA = authority('issuer');
const leaf = issue(CA, 'leaf', { names: ['a.test'], ocsp: 'http://ocsp.test/x' });
const subject = ocspSubject(leaf.certPem + CA.certPem) as OcspSubject;
const status = (bytes: Buffer, now = Date.now()): string => {
  const answer = readOcspAnswer(bytes, subject, now);
  return 'wrong' in answer ? answer.wrong : answer.status;
};

test('a certificate says whom to ask, and only under http, with its issuer at hand', (t) => {
  t.is(subject.url, 'http://ocsp.test/x');
  t.is(ocspSubject(leaf.certPem), undefined, 'no issuer');
  t.is(ocspSubject(leaf.certPem + authority('issuer').certPem), undefined, 'another issuer of the same name');
  t.is(ocspSubject(issue(CA, 'none').certPem + CA.certPem), undefined, 'no responder');
  for (const ocsp of ['https://ocsp.test/', 'ldap://ocsp.test/', 'http://user@ocsp.test/', 'nonsense', 'http://x\nOCSP - URI:http://evil.test/']) {
    t.is(ocspSubject(issue(CA, 'odd', { ocsp }).certPem + CA.certPem)?.url, undefined, ocsp);
  }
});

withOpenssl('OpenSSL reads the question, and we read its answer', (t) => {
  const dir = folder(t);
  const file = (name: string, content: string | Buffer): string => {
    writeFileSync(join(dir, name), content);
    return join(dir, name);
  };
  const request = file('request', ocspRequest(subject));
  const ca = file('ca.pem', CA.certPem);
  const key = file('ca.key', CA.keyPem);
  const index = file('index', '');
  const number = leaf.serial.subarray(2).toString('hex').toUpperCase();
  for (const [line, expected] of [[`V\t490101000000Z\t\t${number}\tunknown\t/CN=leaf\n`, 'good'], [`R\t490101000000Z\t250101000000Z\t${number}\tunknown\t/CN=leaf\n`, 'revoked'], ['', 'unknown']] as const) {
    writeFileSync(index, line);
    const run = spawnSync('openssl', ['ocsp', '-index', index, '-CA', ca, '-rsigner', ca, '-rkey', key, '-reqin', request, '-respout', join(dir, 'response'), '-nmin', '5']);
    t.is(run.status, 0, run.stderr.toString());
    t.is(status(spawnSync('cat', [join(dir, 'response')]).stdout), expected);
  }
});

test('a good answer says until when it may be used', (t) => {
  const answer = readOcspAnswer(ocspAnswer(CA, leaf, { nextUpdate: 3600 }), subject, Date.now());
  t.true('validUntil' in answer && Math.abs(answer.validUntil - Date.now() - 3_600_000) < 5_000);
  t.is(status(ocspAnswer(CA, leaf, { nextUpdate: undefined })), 'good');
  t.is(status(ocspAnswer(CA, leaf, { status: 'revoked' })), 'revoked');
  t.is(status(ocspAnswer(CA, leaf, { status: 'unknown' })), 'unknown');
});

test('an answer counts only from the issuer or whom it appointed, about this certificate, and today', (t) => {
  const appointed = issue(CA, 'responder', { ocspSigning: true });
  t.is(status(ocspAnswer(CA, leaf, { signer: appointed })), 'good');
  for (const signer of [issue(CA, 'not appointed'), authority('issuer'), issue(authority('other'), 'responder', { ocspSigning: true }), issue(CA, 'expired', { ocspSigning: true, until: -0.1 })]) {
    t.is(status(ocspAnswer(CA, leaf, { signer })), 'is signed by nobody whom the issuer appointed', signer.name);
  }
  t.is(status(ocspAnswer(CA, leaf, { about: issue(CA, 'another') })), 'is about another certificate');
  t.is(status(ocspAnswer(authority('other'), leaf)), 'is signed by nobody whom the issuer appointed');
  t.is(status(ocspAnswer(CA, leaf, { nextUpdate: -1 })), 'is out of date');
  t.is(status(ocspAnswer(CA, leaf, { thisUpdate: 3600 })), 'is of the future');
  const damaged = ocspAnswer(CA, leaf);
  damaged[damaged.length - 5]! ^= 1;
  t.is(status(damaged), 'is signed by nobody whom the issuer appointed');
  t.is(status(Buffer.from([0x30, 3, 0x0a, 1, 6])), 'says that the responder failed (status 6)');
});

test('no bytes at all make it throw, and none but a good answer is good', (t) => {
  const good = ocspAnswer(CA, leaf);
  fc.assert(fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(good.length), (at, change, length) => {
    const bytes = Buffer.from(good.subarray(0, length));
    if (at < bytes.length) bytes[at]! ^= change;
    if (bytes.equals(good)) return;
    status(bytes);
  }), { numRuns: 1_000 });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    t.not(status(Buffer.from(bytes)), 'good');
  }), { numRuns: 1_000 });
});
