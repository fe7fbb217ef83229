// Behind a balancer that ends TLS: endpoints are spoken to as the balancer speaks to us, whatever the client spoke to it.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { startBackend } from '../support/fairlead-backend.ts';
import { get } from '../support/fairlead-http.ts';
import { annotated, documents, endpoints, service } from '../support/fairlead-manifests.ts';
import { runCli, startFairlead } from '../support/fairlead-run.ts';
import type { FairleadRun } from '../support/fairlead-run.ts';
import { proxyV1 } from '../support/proxy-header.ts';
import { exchangeRaw, statusOf } from '../support/raw-client.ts';

const NOTES = { 'backend-protocol': 'AUTO_HTTP', 'upstream-vhost': '$scheme.$pass_access_scheme.example', 'ssl-redirect': 'false' };

/** An application in clear text that tells its Host and X-Forwarded-Proto. */
async function start(t: ExecutionContext, args: readonly string[]): Promise<FairleadRun> {
  const port = await startBackend(t, 'web', ({ headers }, response) => response.end(`${headers.host} ${String(headers['x-forwarded-proto'])}`));
  return startFairlead(t, { files: { 'site.yaml': documents(annotated('site', NOTES), service('web'), endpoints('web', port)) }, args });
}

test('AUTO_HTTP and $scheme are the connection\'s own, $pass_access_scheme is what a trusted proxy forwards', async (t) => {
  const run = await start(t, ['--trusted-proxies', '127.0.0.1/32,192.0.2.0/24']);
  const forwarded = await get(run.http, '/', { host: 'site.example.com', headers: { 'x-forwarded-proto': 'https' } });
  t.deepEqual([forwarded.status, forwarded.body], [200, 'http.https.example https']);
  t.is((await get(run.http, '/', { host: 'site.example.com' })).body, 'http.http.example http');
  const { stdout } = await runCli(['explain', run.dir, 'http://site.example.com/', '-H', 'X-Forwarded-Proto: https', '--from', '192.0.2.1', '--trusted-proxies', '192.0.2.0/24']);
  t.regex(stdout, /in clear text/);
});

test('AUTO_HTTP and $scheme are the connection\'s own behind a PROXY header for port 443, too', async (t) => {
  const run = await start(t, ['--use-proxy-protocol']);
  const header = proxyV1({ address: '203.0.113.9', port: 56_324, localPort: 443 });
  const { message, client } = await exchangeRaw(run.http, Buffer.concat([header, Buffer.from('GET / HTTP/1.1\r\nHost: site.example.com\r\n\r\n')]));
  client.destroy();
  t.deepEqual([statusOf(message), message.body.toString()], [200, 'http.https.example https']);
});
