// First bytes that no client means: a worker neither falls nor grows, and serves everybody else. `npm run hostile:hellos` has the
// full size, a hundred thousand of them.
import { randomBytes, randomInt } from 'node:crypto';
import { connect } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { startBackend } from '../support/fairlead-backend.ts';
import { eventually, get } from '../support/fairlead-http.ts';
import { documents, endpoints, service } from '../support/fairlead-manifests.ts';
import { startFairlead } from '../support/fairlead-run.ts';
import type { FairleadRun } from '../support/fairlead-run.ts';
import { clientHello } from '../support/hello.ts';
import { ask } from '../support/https-client.ts';
import { authority, issue } from '../support/pki.ts';
import { ingressOf, secretOf } from '../support/tls-manifests.ts';

const FULL = process.env['HELLOS'] !== undefined;
const COUNT = Number(process.env['HELLOS'] ?? 1_500);
const ROUNDS = 10;
const AT_ONCE = 40;
/** Growth between the third round and the last ones; a worker's memory goes up and down by itself. What a connection leaves behind weighs 20 kB and more. */
const GROWTH_BYTES = 60 * 1024 * 1024;
const NAMES = ['a.test', 'A.TEST.', 'old.test', 'client.test', '', '\0', 'a.test\0b', 'x'.repeat(255), 'x'.repeat(256), 'é.test', '\u00ff\u00fe', '127.0.0.1', '::1', '*', '*.test', '..', '__proto__', 'a'.repeat(60_000)];
const CA = authority('authority');

const pick = <T>(list: readonly T[]): T => list[randomInt(list.length)] as T;

/** One kind each, as a recipe. */
const KINDS: readonly (() => Buffer)[] = [
  () => randomBytes(randomInt(1, 2_000)),
  () => clientHello({ serverName: randomBytes(randomInt(300)) }),
  () => clientHello({ serverName: pick(NAMES.slice(0, -1)) }),
  () => clientHello({ extension: randomBytes(randomInt(100)) }),
  () => clientHello({ serverName: pick(NAMES.slice(0, 4)), recordBytes: randomInt(1, 60) }),
  () => {
    const hello = clientHello({ serverName: 'a.test' });
    return hello.subarray(0, randomInt(hello.length));
  },
  () => {
    const hello = clientHello({ serverName: pick(['a.test', 'old.test', 'client.test']) });
    for (let nth = randomInt(1, 8); nth > 0; nth--) hello[randomInt(hello.length)] = randomInt(256);
    return hello;
  },
  () => Buffer.concat([clientHello({ serverName: pick(['a.test', 'old.test', 'client.test']) }), randomBytes(randomInt(1, 500))]),
  () => Buffer.concat([Buffer.from([22, 3, 1, 63, 255, 1, 0, 255, 255]), randomBytes(randomInt(20_000))]),
  () => Buffer.from('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'),
  () => Buffer.from([0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10, ...randomBytes(40)]),
  () => Buffer.from([21, 3, 3, 0, 2, 2, randomInt(256)]),
  () => Buffer.concat([Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n'), clientHello({ serverName: 'a.test' })]),
  () => Buffer.alloc(0),
];

/** Resolves when the connection is over: the worker ended it, or the client did after a moment. */
function strike(port: number): Promise<void> {
  return new Promise((resolve) => {
    const bytes = pick(KINDS)();
    const socket = connect(port, '127.0.0.1', () => {
      const cut = randomInt(bytes.length + 1);
      if (randomInt(4) > 0) socket.write(bytes);
      else {
        socket.write(bytes.subarray(0, cut));
        setImmediate(() => socket.writable && socket.write(bytes.subarray(cut)));
      }
      if (randomInt(3) === 0) socket.end();
      setTimeout(() => (randomInt(2) === 0 ? socket.resetAndDestroy() : socket.destroy()), randomInt(40));
    });
    socket.resume();
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
  });
}

async function strikes(port: number, count: number): Promise<void> {
  let left = count;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (left-- > 0) await strike(port);
  }));
}

async function metric(fairlead: FairleadRun, name: string, labels = ''): Promise<number> {
  const { body } = await get(fairlead.admin, '/metrics');
  const line = body.split('\n').find((each) => each.startsWith(`${name}${labels}`) && !each.startsWith('#'));
  return Number(line?.slice(line.lastIndexOf(' ')));
}

async function withstand(t: ExecutionContext, extra: readonly string[]): Promise<void> {
  const port = await startBackend(t, 'web');
  const leaf = issue(CA, 'a.test', { names: ['a.test', '*.test'] });
  const site = documents(service('web'), endpoints('web', port), secretOf('cert', { 'tls.crt': leaf.certPem, 'tls.key': leaf.keyPem }), secretOf('ca', { 'ca.crt': CA.certPem }), ingressOf('a', 'a.test', { tls: 'cert' }), ...extra);
  const fairlead = await startFairlead(t, { files: { 'site.yaml': site }, args: ['--access-log', 'off'] });
  const resident: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await strikes(fairlead.https, COUNT / ROUNDS);
    resident.push(await metric(fairlead, 'fairlead_worker_resident_memory_bytes'));
  }
  const goneAt = performance.now();
  await eventually('the clients are gone, and so is what the worker had of them', async () => (await metric(fairlead, 'fairlead_connections', '{listener="https"}')) === 0);
  t.true(performance.now() - goneAt < 4_000, 'sooner than any deadline of theirs');
  t.is((await ask(fairlead.https, 'a.test', { ca: CA.certPem, rejectUnauthorized: true })).status, 200);
  t.log(`${COUNT} hellos, ${await metric(fairlead, 'fairlead_tls_handshake_failures_total')} failed handshakes; MB resident on the way: ${resident.map((bytes) => (bytes / 2 ** 20).toFixed(0)).join(', ')}`);
  t.is(await metric(fairlead, 'fairlead_worker_exits_total'), 0);
  if (FULL) t.true(Math.min(...resident.slice(-3)) - (resident[2] ?? 0) < GROWTH_BYTES, resident.join(', '));
  t.deepEqual(fairlead.log.filter((line) => line['level'] === 'error'), []);
}

test.serial('hostile first bytes, where SNI alone decides', (t) => withstand(t, []));

test.serial('hostile first bytes, where the ClientHello is looked at', (t) => withstand(t, [
  ingressOf('old', 'old.test', { tls: 'cert', annotations: { 'ssl-ciphers': 'ECDHE-ECDSA-AES256-GCM-SHA384' } }), ingressOf('client', 'client.test', { tls: 'cert', annotations: { 'auth-tls-secret': 'shop/ca' } }), ingressOf('pass', 'pass.test', { annotations: { 'ssl-passthrough': 'true' } }),
]));
