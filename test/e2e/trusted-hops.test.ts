// Proxies in front that are counted: what the application is told of the client, with the flag and without it.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { startBackend } from '../support/fairlead-backend.ts';
import { get } from '../support/fairlead-http.ts';
import { documents, endpoints, ingress, service } from '../support/fairlead-manifests.ts';
import { runCli, startFairlead } from '../support/fairlead-run.ts';

interface Told {
  readonly ip: string;
  readonly scheme: string;
}

/** What the application is told when a request with these fields comes from this machine. */
async function telling(t: ExecutionContext, args: readonly string[]): Promise<(headers: Readonly<Record<string, string>>) => Promise<Told>> {
  const port = await startBackend(t, 'web', (request, response) => response.end(JSON.stringify({ ip: request.headers['x-real-ip'], scheme: request.headers['x-forwarded-proto'] })));
  const run = await startFairlead(t, { files: { 'site.yaml': documents(ingress('web'), service('web'), endpoints('web', port)) }, args: ['--access-log', 'off', ...args] });
  return async (headers) => JSON.parse((await get(run.http, '/', { host: 'shop.example.com', headers })).body) as Told;
}

const FORWARDED = { 'x-forwarded-for': '6.6.6.6, 3.3.3.3', 'x-forwarded-proto': 'https' };

test('--trusted-hops 1 believes the last proxy and nobody before it; without the flag nobody is believed', async (t) => {
  const [counted, uncounted, named] = await Promise.all([telling(t, ['--trusted-hops', '1']), telling(t, []), telling(t, ['--trusted-hops', '1', '--trusted-proxies', '10.0.0.0/8'])]);
  t.deepEqual(await counted(FORWARDED), { ip: '3.3.3.3', scheme: 'https' });
  t.deepEqual(await counted({ 'x-forwarded-proto': 'https' }), { ip: '127.0.0.1', scheme: 'http' }, 'it came through no proxy');
  t.deepEqual(await uncounted(FORWARDED), { ip: '127.0.0.1', scheme: 'http' });
  t.deepEqual(await named(FORWARDED), { ip: '127.0.0.1', scheme: 'http' }, 'the peer is none of those that are named');
});

test('a bad count, and a limit per address that would be the proxies\', are refused at the start', async (t) => {
  for (const bad of ['-1', '1.5', 'one', '']) {
    const { code, stderr } = await runCli(['run', '--manifests', '.', `--trusted-hops=${bad}`]);
    t.true(code !== 0 && stderr.includes('--trusted-hops') && stderr.includes('0 to 99'), stderr);
  }
  const { code, stderr } = await runCli(['run', '--manifests', '.', '--trusted-hops', '1', '--connections-per-address', '10']);
  t.is(code, 2);
  t.true(stderr.includes('--trusted-proxies'), stderr);
});
