// Certificates that change while clients connect: how soon the next one serves. `npm run soak:tls` has the full size, and
// test/soak/certificates.test.ts with it: a hundred changes a second for a minute, under which no handshake fails.
import test from 'ava';
import { startBackend } from '../support/fairlead-backend.ts';
import { eventually } from '../support/fairlead-http.ts';
import { documents, endpoints, service } from '../support/fairlead-manifests.ts';
import { startFairlead } from '../support/fairlead-run.ts';
import { ask } from '../support/https-client.ts';
import { authority, issue } from '../support/pki.ts';
import { ingressOf, secretOf } from '../support/tls-manifests.ts';

const SOAK = process.env['SOAK'] !== undefined;
const ROTATIONS = SOAK ? 400 : 20;
const CA = authority('authority');

test('a changed Secret serves new handshakes soon, whichever worker does them', async (t) => {
  const certificates = Array.from({ length: 40 }, (_, nth) => issue(CA, `certificate ${nth}`, { names: ['a.test'] }));
  const secrets = certificates.map((each) => secretOf('cert', { 'tls.crt': each.certPem, 'tls.key': each.keyPem }));
  const port = await startBackend(t, 'web');
  const site = documents(service('web'), endpoints('web', port), ingressOf('a', 'a.test', { tls: 'cert' }));
  const fairlead = await startFairlead(t, { files: { 'site.yaml': site, 'cert.yaml': secrets[0] ?? '' }, args: ['--access-log', 'off', '--workers', '2', '--log-level', 'error'] });
  const delays: number[] = [];
  for (let nth = 1; nth <= ROTATIONS; nth++) {
    const next = nth % certificates.length;
    fairlead.write('cert.yaml', secrets[next] ?? '');
    const changedAt = performance.now();
    delays.push((await settled(fairlead.https, `certificate ${next}`)) - changedAt);
  }
  delays.sort((a, b) => a - b);
  const p99 = delays[Math.ceil(delays.length * 0.99) - 1] ?? 0;
  t.log(`${delays.length} changes; no handshake that began later than ${Math.round(delays[delays.length >> 1] ?? 0)} ms (median), ${Math.round(p99)} ms (p99) after one got the certificate before it`);
  t.true(p99 < (SOAK ? 100 : 5_000), `${p99} ms`);
});

/** Resolves with the time at which the first of many handshakes in a row began that got this certificate: enough of them to have met every worker. */
async function settled(port: number, wanted: string): Promise<number> {
  let since: number | undefined;
  for (let inARow = 0; inARow < 16; ) {
    const beganAt = performance.now();
    const { cn } = await ask(port, 'a.test', { ca: CA.certPem, rejectUnauthorized: true });
    if (cn !== wanted) [inARow, since] = [0, undefined];
    else [inARow, since] = [inARow + 1, since ?? beganAt];
  }
  return since ?? 0;
}

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
