// Staples by the leaf that a handshake sends: which of several chains of one leaf has gone, or has no answer, takes nothing from the others.
import { X509Certificate } from 'node:crypto';
import test from 'ava';
import type { Certificate } from '../../../proxy/table/certificate.ts';
import { Staples } from '../../../proxy/server/tls-staples.ts';
import { authority, issue } from '../../support/pki.ts';

const CA = authority('authority of staples');
const leaf = issue(CA, 'a.test', { names: ['a.test'] });
const der = new X509Certificate(leaf.certPem).raw;

function chain(name: string, answer?: string): Record<string, Certificate> {
  const ocsp = answer === undefined ? {} : { ocsp: { response: Buffer.from(answer).toString('base64'), validUntil: Date.now() + 60_000 } };
  return { [name]: { name, hostnames: ['a.test'], notAfter: 0, chainPem: leaf.certPem, keyPem: leaf.keyPem, ...ocsp } };
}

function stapled(staples: Staples): string | undefined {
  return staples.of(der)?.toString();
}

test('of two certificates with one leaf, the one that goes leaves the other one its staple', (t) => {
  for (const gone of ['sha256/1', 'sha256/2']) {
    const staples = new Staples();
    staples.replace({ ...chain('sha256/1', 'an answer'), ...chain('sha256/2', 'an answer') });
    staples.update({}, [gone]);
    t.is(stapled(staples), 'an answer', gone);
    staples.update({}, ['sha256/1', 'sha256/2']);
    t.is(stapled(staples), undefined);
    t.is(staples.size, 0);
  }
});

test('the newest answer about a leaf is stapled, and one that is taken back is not stapled to any chain of it', (t) => {
  const staples = new Staples();
  staples.replace({ ...chain('sha256/1', 'old'), ...chain('sha256/2', 'new') });
  t.is(stapled(staples), 'new');
  staples.update(chain('sha256/1', 'newer'), []);
  t.is(stapled(staples), 'newer');
  staples.update({ ...chain('sha256/3') }, []);
  t.is(stapled(staples), 'newer', 'a chain that nobody was asked about says nothing');
  staples.update(chain('sha256/1'), []);
  t.is(stapled(staples), undefined);
});
