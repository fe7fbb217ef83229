// Annotations from the manifest to what a client sees: the whole of Fairlead, with a change of each while it runs.
import { createServer, request as requestTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { selfSigned } from '../../certs/self-signed.ts';
import { startBackend } from '../support/fairlead-backend.ts';
import { eventually, get } from '../support/fairlead-http.ts';
import type { Answer } from '../support/fairlead-http.ts';
import { annotated, documents, endpoints, service } from '../support/fairlead-manifests.ts';
import type { Notes } from '../support/fairlead-manifests.ts';
import { startFairlead } from '../support/fairlead-run.ts';
import type { FairleadRun } from '../support/fairlead-run.ts';

async function start(t: ExecutionContext, names: readonly string[], ports: readonly number[], notes: Notes = {}): Promise<{ run: FairleadRun; ask(name: string, options?: Parameters<typeof get>[2], path?: string): Promise<Answer> }> {
  const files = Object.fromEntries(names.map((name) => [`${name}.yaml`, documents(annotated(name, notes, name), service(name), endpoints(name, ...ports))]));
  const run = await startFairlead(t, { files });
  return { run, ask: (name, options, path = '/') => get(run.http, path, { host: `${name}.example.com`, ...options }) };
}

test('body size, retries, Host and stickiness follow their annotations, and a change of one is live without a restart', async (t) => {
  const own = (name: string) => (request: { method?: string; headers: { host?: string } }, response: { statusCode: number; end(text: string): void }): void => {
    response.end(`${name} ${request.headers.host}`);
  };
  const a = await startBackend(t, 'a', own('a') as never);
  const b = await startBackend(t, 'b', own('b') as never);
  const broken = await startBackend(t, 'broken', (_request, response) => {
    response.statusCode = 503;
    response.end('broken');
  });
  const { run, ask } = await start(t, ['size', 'host', 'sticky', 'hash'], [a, b], {});

  t.is((await ask('size', { method: 'POST', body: 'x'.repeat(3_000) })).status, 200);
  const large = { method: 'POST', body: 'x'.repeat(2_000_000) };
  t.is((await ask('size', large)).status, 413, 'one megabyte is the default, as in ingress-nginx');
  run.write('size.yaml', documents(annotated('size', { 'proxy-body-size': '0' }, 'size'), service('size'), endpoints('size', a)));
  await eventually('there is no limit', async () => (await ask('size', large)).status === 200);
  run.write('size.yaml', documents(annotated('size', { 'proxy-body-size': '8mb' }, 'size'), service('size'), endpoints('size', a)));
  await eventually('a bad value is the default, not none', async () => (await ask('size', large)).status === 413);
  t.true((await get(run.admin, '/problems')).body.includes('proxy-body-size'));
  run.write('size.yaml', documents(annotated('size', { 'proxy-body-size': '1k' }, 'size'), service('size'), endpoints('size', a)));
  await eventually('the limit is live', async () => (await ask('size', { method: 'POST', body: 'x'.repeat(3_000) })).status === 413);
  t.is((await ask('size', { method: 'POST', body: 'x'.repeat(1_000) })).status, 200);

  run.write('host.yaml', documents(annotated('host', { 'upstream-vhost': 'inner.$http_x_tenant.example', 'proxy-next-upstream': 'http_503', 'fairlead.dev/proxy-next-upstream-tries': '2' }, 'host'), service('host'), endpoints('host', broken, a)));
  await eventually('the Host is the annotation\'s', async () => (await ask('host', { headers: { 'x-tenant': 'blue' } })).body === 'a inner.blue.example');
  for (let nth = 0; nth < 8; nth++) t.is((await ask('host', { headers: { 'x-tenant': 'blue' } })).status, 200);

  // The pattern of service meshes.
  run.write('host.yaml', documents(annotated('host', { 'upstream-vhost': '$service_name.$namespace.svc.cluster.local' }, 'host'), service('host'), endpoints('host', a)));
  await eventually('the Host is the Service\'s', async () => (await ask('host')).body === 'a host.shop.svc.cluster.local');

  run.write('sticky.yaml', documents(annotated('sticky', { affinity: 'cookie', 'session-cookie-name': 'route', 'session-cookie-max-age': '60' }, 'sticky'), service('sticky'), endpoints('sticky', a, b)));
  const cookie = await eventually('a cookie is set', async () => (await ask('sticky')).headers['set-cookie']?.[0]);
  t.regex(cookie, /^route=[0-9a-f]{32}\|[0-9a-f]{32}; Max-Age=60; Path=\/; HttpOnly$/);
  const bodies = new Set<string>();
  for (let nth = 0; nth < 10; nth++) bodies.add((await ask('sticky', { headers: { cookie: cookie.split(';')[0]! } })).body);
  t.is(bodies.size, 1);

  run.write('hash.yaml', documents(annotated('hash', { 'upstream-hash-by': '$arg_user' }, 'hash'), service('hash'), endpoints('hash', a, b)));
  await eventually('the same user stays', async () => {
    const seen = new Set<string>();
    for (let nth = 0; nth < 12; nth++) seen.add((await ask('hash', {}, '/?user=7')).body);
    return seen.size === 1;
  });

  run.write('hash.yaml', documents(annotated('hash', { 'upstream-hash-by': '$nothing' }, 'hash'), service('hash'), endpoints('hash', a, b)));
  await eventually('an unknown variable closes the route', async () => (await ask('hash')).status === 503);
  const problems = (await get(run.admin, '/problems')).body;
  t.true(problems.includes('upstream-hash-by') && problems.includes('503'), problems);
  const line = await eventually('the access log has both tries', () => run.accessLog.find((each) => each['host'] === 'host.example.com' && Array.isArray(each['attempts'])));
  t.is((line['attempts'] as readonly { status: number }[])[0]!.status, 503);
});

test('backend-protocol HTTPS and AUTO_HTTP speak TLS to endpoints, FCGI is never spoken', async (t) => {
  const { chainPem, keyPem } = selfSigned({ hostnames: ['pod.example'] });
  const secure = createServer({ cert: chainPem, key: keyPem }, (_request, response) => response.end('over TLS'));
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
  t.teardown(() => secure.close());
  const plain = await startBackend(t, 'plain');
  const securePort = (secure.address() as AddressInfo).port;
  const { run, ask } = await start(t, ['https', 'fcgi'], [securePort], { 'backend-protocol': 'HTTPS' });
  t.is((await ask('https')).body, 'over TLS');
  run.write('fcgi.yaml', documents(annotated('fcgi', { 'backend-protocol': 'FCGI' }, 'fcgi'), service('fcgi'), endpoints('fcgi', plain)));
  await eventually('FastCGI is denied', async () => (await ask('fcgi')).body.includes('RouteDenied'));
  run.write('https.yaml', documents(annotated('https', { 'backend-protocol': 'AUTO_HTTP', 'ssl-redirect': 'false' }, 'https'), service('https'), endpoints('https', securePort)));
  await eventually('the client\'s scheme decides: clear text is not spoken to a TLS port', async () => (await ask('https')).status >= 400);
  const body = await new Promise<string>((resolve, reject) => {
    requestTls({ host: '127.0.0.1', port: run.https, path: '/', headers: { host: 'https.example.com' }, rejectUnauthorized: false, agent: false }, (response) => {
      response.setEncoding('utf8').once('data', resolve);
    }).on('error', reject).end();
  });
  t.is(body, 'over TLS');
});

test('a redirect answers over HTTP and HTTPS with exactly its value, without a Service, and before the redirect to https', async (t) => {
  const { chainPem, keyPem } = selfSigned({ hostnames: ['*.example.com'] });
  const secret = JSON.stringify({ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata: { name: 'wild', namespace: 'shop' }, stringData: { 'tls.crt': chainPem, 'tls.key': keyPem } });
  const withTls = (name: string, notes: Notes): string => {
    const made = JSON.parse(annotated(name, notes)) as { spec: object };
    return JSON.stringify({ ...made, spec: { ...made.spec, tls: [{ hosts: [`${name}.example.com`], secretName: 'wild' }] } });
  };
  const files = {
    'a.yaml': documents(
      secret,
      withTls('old', { 'permanent-redirect': 'https://new.example.org' }),
      withTls('maint', { 'temporal-redirect': 'https://status.example.org:443/a,b?x=1', 'temporal-redirect-code': '307', 'permanent-redirect': '/never' }),
      withTls('path', { 'permanent-redirect': '/moved?to=here', 'permanent-redirect-code': '308' }),
      withTls('closed', { 'temporal-redirect': 'https://status.example.org', 'denylist-source-range': '192.0.2.0/24' }),
      withTls('hostile', { 'permanent-redirect': 'https://new.example.org\nSet-Cookie: a=b' }),
    ),
  };
  const run = await startFairlead(t, { files });
  for (const ca of [undefined, chainPem]) {
    const scheme = ca === undefined ? 'http' : 'https';
    const ask = async (name: string, method = 'GET'): Promise<unknown[]> => {
      const { status, headers } = await get(ca === undefined ? run.http : run.https, '/x?y=1', { host: `${name}.example.com`, method, ...(ca !== undefined && { ca }), ...(method === 'POST' && { body: 'x' }) });
      return [status, headers['location'], headers['set-cookie']];
    };
    t.deepEqual(await ask('old'), [301, 'https://new.example.org', undefined], scheme);
    t.deepEqual(await ask('old', 'POST'), [301, 'https://new.example.org', undefined], scheme);
    t.deepEqual(await ask('maint'), [307, 'https://status.example.org:443/a,b?x=1', undefined], scheme);
    t.deepEqual(await ask('path'), [308, `${scheme}://path.example.com/moved?to=here`, undefined], scheme);
    t.deepEqual(await ask('closed'), [503, undefined, undefined], scheme);
    t.deepEqual(await ask('hostile'), [503, undefined, undefined], scheme);
  }
});

test('what a path matches as a regular expression is answered 503, and not by the application that has the rest of the host', async (t) => {
  const web = await startBackend(t, 'web');
  const shop = (name: string, path: string, annotations: Notes): string =>
    JSON.stringify({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name, namespace: 'shop', annotations },
      spec: { rules: [{ host: 'shop.example.com', http: { paths: [{ path, pathType: 'ImplementationSpecific', backend: { service: { name: 'web', port: { number: 80 } } } }] } }] },
    });
  const notes = { 'nginx.ingress.kubernetes.io/use-regex': 'true', 'nginx.ingress.kubernetes.io/rewrite-target': '/$2' };
  const run = await startFairlead(t, { files: { 'a.yaml': documents(service('web'), endpoints('web', web), shop('web', '/', {}), shop('api', '/api(/|$)(.*)', notes)) } });
  const ask = (path: string): Promise<Answer> => get(run.http, path, { host: 'shop.example.com' });
  for (const path of ['/api', '/api/x', '/Api/x']) t.regex((await ask(path)).body, /^503 .*RouteDenied/s, path);
  for (const path of ['/', '/apix']) t.is((await ask(path)).status, 200, path);
  t.regex((await get(run.admin, '/problems')).body, /error UnsupportedPath/);
});

test('flags stand in where no annotation says anything', async (t) => {
  const a = await startBackend(t, 'a');
  const files = { 'site.yaml': documents(annotated('site', {}), service('web'), endpoints('web', a)), 'own.yaml': annotated('own', { 'proxy-body-size': '8k' }) };
  const run = await startFairlead(t, { files, args: ['--max-body-size', '1k', '--load-balance', 'ewma', '--proxy-connect-timeout', '2s', '--access-log', 'off'] });
  const post = (host: string): Promise<Answer> => get(run.http, '/', { host: `${host}.example.com`, method: 'POST', body: 'x'.repeat(2_000) });
  t.is((await post('site')).status, 413);
  t.is((await post('own')).status, 200);
  const table = (await get(run.admin, '/table')).body;
  t.true(table.includes('PeakEwma connectTimeoutMs=2000'), table);
});
