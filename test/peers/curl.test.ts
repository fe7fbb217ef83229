// curl in every version of HTTP that it speaks.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { PLAIN_HOST, TLS_HOST, startPeerSite } from '../support/peer-site.ts';
import type { PeerSite } from '../support/peer-site.ts';
import { temporaryFolder } from '../support/fairlead-run.ts';
import { has, run } from '../support/program.ts';

type Curl = (...args: readonly string[]) => Promise<string>;

/** What it prints, with `--write-out` behind it: HTTP version, status, number of connections. */
function curl(t: ExecutionContext, { fairlead, caFile }: PeerSite, secure: boolean): Curl {
  const host = secure ? TLS_HOST : PLAIN_HOST;
  const port = secure ? fairlead.https : fairlead.http;
  return async (path, ...args) => {
    const url = `${secure ? 'https' : 'http'}://${host}:${port}${path}`;
    const common = ['-sS', '--max-time', '20', '--resolve', `${host}:${port}:127.0.0.1`, '--cacert', caFile, '-w', ' | %{http_version} %{response_code} %{num_connects}'];
    const { stdout, stderr, code } = await run('curl', [...common, ...args, ...(args.includes('--next') ? [] : [url])]);
    t.is(code, 0, `${args.join(' ')}: ${stderr}`);
    return stdout;
  };
}

const VERSIONS = [
  [false, ['--http1.0'], '1.0'],
  [false, ['--http1.1'], '1.1'],
  [false, ['--http2-prior-knowledge'], '2'],
  [true, ['--http1.1'], '1.1'],
  [true, ['--http2'], '2'],
] as const;

test('GET, HEAD, uploads by length, in chunks and from a slow pipe, and a large answer, in every version', async (t) => {
  if (!has(t, 'curl')) return t.pass();
  const site = await startPeerSite(t);
  const file = join(temporaryFolder(t), 'upload');
  writeFileSync(file, Buffer.alloc(2_000_000, 'u'));
  for (const [secure, flags, version] of VERSIONS) {
    const ask = curl(t, site, secure);
    const spoken = version === '1.0' ? '1.1' : version;
    t.is(await ask('/a?b=c', ...flags), `GET /a?b=c 0 | ${spoken} 200 1`);
    t.regex(await ask('/head', '-I', ...flags), new RegExp(`^HTTP/${spoken.replace('.', '\\.')} 200[^]* \\| ${spoken} 200 1$`));
    t.is(await ask('/post', '-d', 'x=1', ...flags), `POST /post 3 | ${spoken} 200 1`);
    t.is(await ask('/put', '-T', file, ...flags), `PUT /put 2000000 | ${spoken} 200 1`);
    if (version !== '1.0') t.is(await ask('/chunks', '-T', file, '-H', 'Transfer-Encoding: chunked', ...flags), `PUT /chunks 2000000 | ${spoken} 200 1`);
    t.is(await ask('/large', '-o', '/dev/null', ...flags), ` | ${spoken} 200 1`);
    t.is(await ask('/large', '-o', '/dev/null', '-w', '%{size_download}', ...flags), '3000000');
    t.regex(await ask('/events', '-N', ...flags), /^data: 0\n\ndata: 1\n\n[^]*data: 4\n\n/);
    t.is(await ask('/cookies', '-b', 'x=1; y=2', ...flags), `x=1; y=2 | ${spoken} 200 1`);
  }
  t.true(site.requests.every(({ headers }) => headers['x-forwarded-for'] === '127.0.0.1'));
});

test('two requests share a connection; an upgrade to h2c is not made, and Expect: 100-continue is answered', async (t) => {
  if (!has(t, 'curl')) return t.pass();
  const site = await startPeerSite(t);
  const ask = curl(t, site, false);
  const url = (path: string): string => `http://${PLAIN_HOST}:${site.fairlead.http}${path}`;
  t.is(await ask('/', url('/one'), '--next', '-sS', '--resolve', `${PLAIN_HOST}:${site.fairlead.http}:127.0.0.1`, '-w', ' | %{http_version} %{response_code} %{num_connects}', url('/two')), 'GET /one 0 | 1.1 200 1GET /two 0 | 1.1 200 0');
  t.is(await ask('/h2c', '--http2'), 'GET /h2c 0 | 1.1 200 1');
  t.false('http2-settings' in site.requests.at(-1)!.headers);
  const verbose = await run('curl', ['-sSv', '--max-time', '10', '--expect100-timeout', '9', '-H', 'Expect: 100-continue', '-d', 'x'.repeat(2_000), '--resolve', `${PLAIN_HOST}:${site.fairlead.http}:127.0.0.1`, url('/expect')]);
  t.is(verbose.stdout, 'POST /expect 2000');
  t.regex(verbose.stderr, /< HTTP\/1\.1 100 Continue/);
});

test('the PROXY protocol that curl speaks names the client', async (t) => {
  if (!has(t, 'curl')) return t.pass();
  const site = await startPeerSite(t, { args: ['--use-proxy-protocol'] });
  t.is(await curl(t, site, false)('/who', '--haproxy-protocol'), 'GET /who 0 | 1.1 200 1');
  t.is(site.requests.at(-1)!.headers['x-forwarded-for'], '127.0.0.1');
});
