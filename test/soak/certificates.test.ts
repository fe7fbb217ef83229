// Certificates that rotate all the time, and Secrets that go bad, under load. Numbers are those of the list in test/soak/README.md.
import { once } from 'node:events';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { startBackend } from '../support/fairlead-backend.ts';
import { eventually, get } from '../support/fairlead-http.ts';
import { documents, endpoints, ingress, service } from '../support/fairlead-manifests.ts';
import { startFairlead } from '../support/fairlead-run.ts';
import { ask } from '../support/https-client.ts';
import { FULL } from '../support/load-site.ts';
import { secretYaml } from '../support/manifests.ts';
import { authority, issue } from '../support/pki.ts';
import type { Identity } from '../support/pki.ts';

const CA = authority('soak authority');
const HOST = 'shop.example.com';
const secret = (name: string, { certPem, keyPem }: Pick<Identity, 'certPem' | 'keyPem'>): string => secretYaml(name, certPem, keyPem, 'shop');

function percentile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? 0;
}

const ROTATE = FULL ? { seconds: 60, rate: 100 } : { seconds: 3, rate: 50 };

test.serial(`9: ${ROTATE.rate} rotations of a certificate a second for ${ROTATE.seconds} s fail no handshake and touch no open connection`, async (t) => {
  t.timeout(180_000);
  const web = await startBackend(t, 'web');
  const identities = Array.from({ length: 50 }, (_, nth) => issue(CA, `rotation ${nth}`, { names: [HOST], subject: [['CN', `rotation ${nth}`]] }));
  const fairlead = await startFairlead(t, {
    args: ['--workers', '2', '--access-log', 'off', '--log-level', 'error'],
    files: { 'site.yaml': documents(ingress('web', { tls: 'web' }), service('web'), endpoints('web', web)), 'secret.yaml': secret('web', identities[0]!) },
  });
  // Connections from before the first rotation, over which requests go all the time.
  const old: TLSSocket[] = [];
  let closed = 0;
  for (let nth = 0; nth < 20; nth++) {
    const socket = connect({ port: fairlead.https, host: '127.0.0.1', servername: HOST, rejectUnauthorized: false });
    socket.on('error', () => undefined);
    socket.on('close', () => closed++);
    await once(socket, 'secureConnect');
    old.push(socket);
  }
  t.teardown(() => old.forEach((socket) => socket.destroy()));
  let answers = 0;
  for (const socket of old) socket.on('data', (bytes: Buffer) => (answers += bytes.toString('latin1').split('HTTP/1.1 200').length - 1));
  let asked = 0;
  const keep = setInterval(() => {
    old[asked++ % old.length]!.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  }, 20);
  t.teardown(() => clearInterval(keep));

  const writtenAt: number[] = [performance.now()];
  let over = false;
  t.teardown(() => (over = true));
  const staleness: number[] = [];
  const failures: string[] = [];
  let handshakes = 0;
  const look = Promise.all(Array.from({ length: 3 }, async (_, which) => {
    while (!over) {
      const startedAt = performance.now();
      const latest = writtenAt.length - 1;
      try {
        const { cn, status } = await ask(fairlead.https, HOST, { version: which === 0 ? '2' : '1.1' });
        handshakes++;
        if (status !== 200) failures.push(String(status));
        // The names repeat: it is the youngest one of this name that had been written when the handshake began, or a later one.
        const nth = Number(cn.slice('rotation '.length));
        let served = nth + Math.floor((latest - nth) / identities.length) * identities.length;
        if (served < 0) served = nth;
        const next = writtenAt[served + 1];
        staleness.push(next === undefined || served >= latest ? 0 : Math.max(0, startedAt - next));
      } catch (error) {
        failures.push(String(error));
      }
      await pause(10);
    }
  }));
  const startedAt = performance.now();
  for (let nth = 1; nth <= ROTATE.rate * ROTATE.seconds; nth++) {
    fairlead.write('secret.yaml', secret('web', identities[nth % identities.length]!));
    writtenAt.push(performance.now());
    const due = (nth / ROTATE.rate) * 1000 - (performance.now() - startedAt);
    if (due > 0) await pause(due);
  }
  over = true;
  await look;
  clearInterval(keep);
  await eventually('every answer on old connections', () => answers === asked);
  t.deepEqual(failures, []);
  t.is(closed, 0);
  await eventually('the last certificate is served', async () => (await ask(fairlead.https, HOST)).cn === `rotation ${(ROTATE.rate * ROTATE.seconds) % identities.length}`);
  const p99 = percentile(staleness, 0.99);
  t.log(`${writtenAt.length - 1} rotations in ${((performance.now() - startedAt) / 1000).toFixed(1)} s, ${handshakes} handshakes, F = 0; a certificate was served at most ${percentile(staleness, 0.5).toFixed(0)} ms (median) and ${p99.toFixed(0)} ms (p99) after the next one had been written; ${asked} requests on 20 old connections, none closed`);
  if (FULL) t.true(p99 < 100, `${p99} ms`);
});

test.serial('10: a Secret that goes bad in any way leaves its last certificate in service, is told of within a second, and touches no other host', async (t) => {
  t.timeout(120_000);
  const web = await startBackend(t, 'web');
  const good = issue(CA, 'good', { names: [HOST], subject: [['CN', 'good']] });
  const other = issue(CA, 'other', { names: ['other.example.com'], subject: [['CN', 'other']] });
  const stranger = issue(CA, 'stranger', { names: [HOST] });
  const fairlead = await startFairlead(t, {
    args: ['--workers', '2', '--access-log', 'off'],
    files: {
      'site.yaml': documents(ingress('web', { tls: 'web' }), ingress('other', { host: 'other.example.com', tls: 'other' }), service('web'), endpoints('web', web)),
      'secret.yaml': secret('web', good), 'other.yaml': secret('other', other),
    },
  });
  let over = false;
  t.teardown(() => (over = true));
  const outcomes = new Map<string, number>();
  const look = (async (): Promise<void> => {
    while (!over) {
      const what = await ask(fairlead.https, 'other.example.com').then(({ status, cn }) => `${status} ${cn}`, String);
      outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
      await pause(5);
    }
  })();
  const big = 'x'.repeat(1_000_000);
  const bad: Readonly<Record<string, { readonly text: string; readonly reason: string }>> = {
    malformed: { text: secret('web', { certPem: '-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n', keyPem: good.keyPem }), reason: 'InvalidCertificateRef' },
    'wrong key': { text: secret('web', { certPem: good.certPem, keyPem: stranger.keyPem }), reason: 'InvalidCertificateRef' },
    'no bytes': { text: secret('web', { certPem: '', keyPem: '' }), reason: 'InvalidCertificateRef' },
    'a megabyte': { text: secret('web', { certPem: big, keyPem: big }), reason: 'InvalidObject' },
    'no base64': { text: '{apiVersion: v1, kind: Secret, type: kubernetes.io/tls, metadata: {name: web, namespace: shop}, data: {tls.crt: "%%%", tls.key: "%%%"}}', reason: 'InvalidObject' },
    expired: { text: secret('web', issue(CA, 'expired', { names: [HOST], subject: [['CN', 'expired']], from: -20, until: -1 })), reason: 'InvalidCertificateRef' },
  };
  const took: string[] = [];
  for (const [what, { text, reason }] of Object.entries(bad)) {
    fairlead.write('secret.yaml', secret('web', good));
    await eventually('the good one is served', async () => (await ask(fairlead.https, HOST)).cn === 'good' && !(await get(fairlead.admin, '/problems')).body.includes('shop/web'));
    const at = performance.now();
    fairlead.write('secret.yaml', text);
    const told = await eventually(`${what} is told`, async () => {
      const { body } = await get(fairlead.admin, '/problems');
      return /"web"|shop\/web/.test(body) && body.includes(reason) && body;
    });
    const toldMs = performance.now() - at;
    for (const { keyPem } of [good, stranger]) t.false(told.includes(keyPem.split('\n')[1]!));
    took.push(`${what} ${Math.round(toldMs)} ms`);
    if (FULL) t.true(toldMs < 1_000, `${what}: ${toldMs} ms`);
    await pause(150);
    const served = await ask(fairlead.https, HOST);
    t.deepEqual([served.status, served.cn], [200, 'good'], what);
  }
  over = true;
  await look;
  t.deepEqual([...outcomes.keys()], ['200 other'], JSON.stringify([...outcomes]));
  t.log(`told after: ${took.join(', ')}; ${outcomes.get('200 other')} handshakes of another host, F = 0`);
});
