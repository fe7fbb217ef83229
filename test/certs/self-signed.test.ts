// The self-signed certificate, as curl and Node's own TLS see it.
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { covers } from '../../certs/parse.ts';
import { selfSigned } from '../../certs/self-signed.ts';

test('it carries the names that were asked for, for a year, with a new key and serial number each time', (t) => {
  const first = selfSigned({ hostnames: ['shop.example.com', '*.example.org', '127.0.0.1', '::1'] });
  t.deepEqual(first.hostnames, ['shop.example.com', '*.example.org', '127.0.0.1', '::1']);
  t.true(covers(first, 'a.example.org'));
  t.true(Math.abs(first.notAfter - Date.now() - 365 * 86_400_000) < 60_000);
  const second = selfSigned({ hostnames: ['shop.example.com'], commonName: 'Shop', days: 7 });
  t.not(second.keyPem, first.keyPem);
  const [a, b] = [new X509Certificate(first.chainPem), new X509Certificate(second.chainPem)];
  t.not(a.serialNumber, b.serialNumber);
  t.is(a.serialNumber.length, 32);
  t.regex(b.subject, /^CN=Shop$/m);
  t.is(b.publicKey.asymmetricKeyDetails?.modulusLength, 2048);
  t.true(b.verify(b.publicKey));
});

test('a name that is none is refused', (t) => {
  for (const name of ['', 'a b', '999.1.1.1', 'a/b']) t.throws(() => selfSigned({ hostnames: ['a.example.com', name] }), undefined, name);
});

test('curl accepts a server with it when it is told to trust it', async (t) => {
  const certificate = selfSigned({ hostnames: ['shop.example.com'] });
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-self-signed-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'ca.pem'), certificate.chainPem);
  const server = createServer({ cert: certificate.chainPem, key: certificate.keyPem }, (_request, response) => response.end('hello'));
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const curl = (host: string): Promise<{ stdout: string }> => promisify(execFile)('curl', ['-sS', '--noproxy', '*', '--cacert', join(folder, 'ca.pem'), '--resolve', `${host}:${port}:127.0.0.1`, `https://${host}:${port}/`]);
  t.is((await curl('shop.example.com')).stdout, 'hello');
  await t.throwsAsync(curl('other.example.com'));
});
