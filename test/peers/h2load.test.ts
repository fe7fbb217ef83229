// h2load with many streams on many connections: nothing fails, over clear text with prior knowledge, TLS, and HTTP/1.1.
import test from 'ava';
import { PLAIN_HOST, TLS_HOST, startPeerSite } from '../support/peer-site.ts';
import { has, run } from '../support/program.ts';

for (const [title, secure, args] of [
  ['HTTP/2 in clear text', false, ['-m', '50']],
  ['HTTP/2 over TLS', true, ['-m', '50']],
  ['HTTP/1.1', false, ['--h1']],
  ['HTTP/1.1 over TLS', true, ['--h1']],
] as const) {
  test.serial(`2,000 requests over 20 connections of ${title} all succeed`, async (t) => {
    t.timeout(60_000);
    if (!has(t, 'h2load', 'nghttp2-client')) return t.pass();
    const { fairlead, requests } = await startPeerSite(t);
    const port = secure ? fairlead.https : fairlead.http;
    const url = `${secure ? 'https' : 'http'}://${secure ? TLS_HOST : PLAIN_HOST}:${port}/load`;
    const { stdout, stderr } = await run('h2load', ['-n', '2000', '-c', '20', ...args, `--connect-to=127.0.0.1:${port}`, url]);
    t.regex(stdout, /2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout/, stderr);
    t.regex(stdout, /status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx/);
    t.is(requests.length, 2_000);
  });
}

test.serial('uploads over HTTP/2 all arrive whole', async (t) => {
  t.timeout(60_000);
  if (!has(t, 'h2load', 'nghttp2-client')) return t.pass();
  const { fairlead, requests } = await startPeerSite(t);
  const file = process.execPath;
  const { stdout } = await run('h2load', ['-n', '4', '-c', '2', '-m', '2', '-d', file, `--connect-to=127.0.0.1:${fairlead.http}`, `http://${PLAIN_HOST}:${fairlead.http}/up`]);
  t.regex(stdout, /4 succeeded, 0 failed/);
  t.is(requests.length, 4);
  t.true(requests.every(({ body }) => body === requests[0]!.body && body > 10_000_000), requests.map(({ body }) => body).join());
});
