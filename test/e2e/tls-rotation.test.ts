// Certificates that change while clients connect: how soon the next one serves, and that no handshake fails however often it
// changes. `npm run soak:tls` has the full size: a hundred changes a second for a minute.
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import test from 'ava';
import { startBackend } from '../support/fairlead-backend.ts';
import { eventually } from '../support/fairlead-http.ts';
import { documents, endpoints, service } from '../support/fairlead-manifests.ts';
import { startFairlead } from '../support/fairlead-run.ts';
import { ask } from '../support/https-client.ts';
import { authority, issue } from '../support/pki.ts';
import { ingressOf, secretOf } from '../support/tls-manifests.ts';

const SOAK = process.env['SOAK'] !== undefined;
const SECONDS = SOAK ? 60 : 2;
const PER_SECOND = 100;
const CA = authority('authority');

function handshake(port: number, servername: string): Promise<{ readonly socket: TLSSocket; readonly cn: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', servername, ca: CA.certPem }, () => resolve({ socket, cn: String(socket.getPeerCertificate().subject.CN) }));
    socket.on('error', reject);
  });
}

test('a changed Secret serves new handshakes soon, fails none, and leaves open connections alone', async (t) => {
  const certificates = Array.from({ length: 40 }, (_, nth) => issue(CA, `certificate ${nth}`, { names: ['a.test', 'b.test'] }));
  const secrets = certificates.map((each) => secretOf('cert', { 'tls.crt': each.certPem, 'tls.key': each.keyPem }));
  const port = await startBackend(t, 'web');
  const site = documents(service('web'), endpoints('web', port), ingressOf('a', 'a.test', { tls: 'cert' }));
  const fairlead = await startFairlead(t, { files: { 'site.yaml': site, 'cert.yaml': secrets[0] ?? '' }, args: ['--access-log', 'off', '--workers', '2', '--log-level', 'error', '--keep-alive-timeout', '300s'] });
  const { socket: open } = await handshake(fairlead.https, 'a.test');

  const delays: number[] = [];
  for (let nth = 1; nth <= (SOAK ? 200 : 20); nth++) {
    const next = nth % certificates.length;
    fairlead.write('cert.yaml', secrets[next] ?? '');
    const changedAt = performance.now();
    for (;;) {
      const { socket, cn } = await handshake(fairlead.https, 'a.test');
      socket.destroy();
      if (cn === `certificate ${next}`) break;
    }
    delays.push(performance.now() - changedAt);
  }
  delays.sort((a, b) => a - b);
  const p99 = delays[Math.ceil(delays.length * 0.99) - 1] ?? 0;
  t.log(`a new certificate serves after ${Math.round(delays[delays.length >> 1] ?? 0)} ms (median), ${Math.round(p99)} ms (p99), to a client that shakes hands all the time`);

  let handshakes = 0;
  const failed: string[] = [];
  const until = performance.now() + SECONDS * 1000;
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      handshakes++;
      await ask(fairlead.https, 'a.test', { ca: CA.certPem, rejectUnauthorized: true }).then(({ status }) => (status === 200 ? undefined : failed.push(String(status))), (error: Error) => failed.push(error.message));
    }
  };
  const rotate = async (): Promise<void> => {
    for (let nth = 0; performance.now() < until; nth++) {
      fairlead.write('cert.yaml', secrets[nth % secrets.length] ?? '');
      await pause(1000 / PER_SECOND);
    }
  };
  await Promise.all([rotate(), client(), client()]);
  t.log(`${handshakes} handshakes in ${SECONDS} s of changes`);
  t.deepEqual(failed, []);
  t.true(handshakes > SECONDS);

  open.write('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n');
  t.regex(await new Promise<string>((resolve) => open.once('data', (chunk: Buffer) => resolve(chunk.toString())).once('close', () => resolve('closed'))), /^HTTP\/1\.1 200 /);
  if (SOAK) t.true(p99 < 100, `${p99} ms`);
});

test('a Secret that turns bad leaves the certificate before it in service, and one that is removed does not', async (t) => {
  const [first, second] = [issue(CA, 'first', { names: ['a.test'] }), issue(CA, 'second', { names: ['a.test'] })];
  const port = await startBackend(t, 'web');
  const site = documents(service('web'), endpoints('web', port), ingressOf('a', 'a.test', { tls: 'cert' }));
  const good = (identity: typeof first): string => secretOf('cert', { 'tls.crt': identity.certPem, 'tls.key': identity.keyPem });
  const fairlead = await startFairlead(t, { files: { 'site.yaml': site, 'cert.yaml': good(first) } });
  const cn = async (): Promise<string> => (await ask(fairlead.https, 'a.test')).cn;
  for (const bad of [secretOf('cert', {}), secretOf('cert', { 'tls.crt': second.certPem, 'tls.key': first.keyPem }), secretOf('cert', { 'tls.crt': 'x'.repeat(1_000_000), 'tls.key': '' })]) {
    fairlead.write('cert.yaml', bad);
    await eventually('it is told', () => fairlead.log.some((line) => JSON.stringify(line).includes('the certificate that it held before stays in service')));
    t.is(await cn(), 'first');
  }
  fairlead.write('cert.yaml', good(second));
  await eventually('the next good one', async () => (await cn()) === 'second');
  fairlead.remove('cert.yaml');
  await eventually('the default one', async () => /self-signed/.test(await cn()));
});
