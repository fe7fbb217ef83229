// `fairlead run` from outside: real processes, real files, real sockets.
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { request } from 'node:http';
import test from 'ava';
import WebSocket, { WebSocketServer } from 'ws';
import { startBackend } from '../support/fairlead-backend.ts';
import { startDns } from '../support/fairlead-dns.ts';
import { eventually, get } from '../support/fairlead-http.ts';
import { documents, endpoints, ingress, service } from '../support/fairlead-manifests.ts';
import { childrenOf, runCli, startFairlead, temporaryFolder } from '../support/fairlead-run.ts';

test('a folder of manifests becomes live traffic, and an edit is live at once', async (t) => {
  const one = await startBackend(t, 'one');
  const two = await startBackend(t, 'two');
  const fairlead = await startFairlead(t, { files: { 'site.yaml': documents(ingress('web'), service('web'), endpoints('web', one)) } });
  t.deepEqual(await get(fairlead.http, '/cart?x=1', { host: 'shop.example.com' }).then(({ status, body }) => [status, body]), [200, 'one GET /cart?x=1']);
  t.regex((await get(fairlead.http, '/', { host: 'other.example.com' })).body, /NoRouteFound/);

  const editedAt = performance.now();
  fairlead.write('site.yaml', documents(ingress('web'), service('web'), endpoints('web', two)));
  await eventually('the other backend answers', async () => (await get(fairlead.http, '/', { host: 'shop.example.com' })).body.startsWith('two'));
  t.log(`edit live after ${Math.round(performance.now() - editedAt)} ms`);
  const line = await eventually('the log says so', () => fairlead.log.find((each) => String(each['msg']).startsWith('table 2: ')));
  t.is(line['msg'], 'table 2: ~1 endpoints shop/web:80 (ready 1/1 to 1/1)');
  t.is(await fairlead.stop(), 0);
});

test('the access log names the object, the endpoint and the reason of what the proxy answered itself', async (t) => {
  const port = await startBackend(t, 'web');
  const fairlead = await startFairlead(t, { files: { 'site.yaml': documents(ingress('web', { paths: { '/': 'web', '/none': 'none' } }), service('web'), service('none'), endpoints('web', port)) } });
  await get(fairlead.http, '/a?b=c', { host: 'shop.example.com', headers: { 'user-agent': 'a "quoted"\tagent' } });
  await get(fairlead.http, '/none', { host: 'shop.example.com' });
  await eventually('two lines', () => fairlead.accessLog.length === 2);
  const [served, refused] = fairlead.accessLog;
  t.like(served, {
    msg: 'request', client: '127.0.0.1', method: 'GET', scheme: 'http', host: 'shop.example.com', path: '/a', target: '/a?b=c', protocol: 'HTTP/1.1', status: 200, reason: '',
    route: 'Ingress shop/web spec.rules[0].http.paths[0]', cluster: 'shop/web:80', endpoint: `127.0.0.1:${port}`, user_agent: 'a "quoted"\tagent',
  });
  t.like(refused, { status: 503, reason: 'NoHealthyUpstream', path: '/none', cluster: 'shop/none:80' });
});

test('the ports, metrics, table and problems can be seen on the admin port', async (t) => {
  const port = await startBackend(t, 'web');
  const fairlead = await startFairlead(t, { files: { 'site.yaml': documents(ingress('web', { paths: { '/': 'web', '/lost': 'lost' } }), service('web'), endpoints('web', port)) } });
  await get(fairlead.http, '/', { host: 'shop.example.com' });
  await get(fairlead.http, '/', { host: 'shop.example.com', method: 'PURGE' });
  t.is((await get(fairlead.admin, '/healthz')).status, 200);
  t.is((await get(fairlead.admin, '/readyz')).status, 200);

  const table = await get(fairlead.admin, '/table');
  t.is(table.headers['x-content-type-options'], 'nosniff');
  t.true(table.body.includes(`listener http  HTTP 127.0.0.1:${fairlead.http}`));
  t.true(table.body.includes('shop.example.com  on http+https'));
  const json = (await get(fairlead.admin, '/table?output=json')).body;
  t.true(json.includes('"shop/web:80"'));
  t.false(/PRIVATE KEY|keyPem/.test(table.body + json));

  const problems = (await get(fairlead.admin, '/problems')).body;
  t.regex(problems, /site\.yaml:\d+: error BackendNotFound/);
  t.regex(problems, /1 error, 0 warnings/);
  t.like((JSON.parse((await get(fairlead.admin, '/problems?output=json')).body) as object[])[0], { severity: 'error', reason: 'BackendNotFound', object: 'Ingress shop/web' });

  const metrics = (await get(fairlead.admin, '/metrics')).body;
  t.true(metrics.includes('fairlead_requests_total{namespace="shop",ingress="web",service="shop/web:80",method="GET",status="200",reason=""} 1'));
  t.true(metrics.includes('method="OTHER"'), 'a method that nobody knows is counted as OTHER');
  t.false(metrics.includes('PURGE'));
  t.true(metrics.includes('fairlead_request_duration_seconds_bucket{namespace="shop",ingress="web",le="+Inf"} 2'));
  t.true(metrics.includes('fairlead_problems{severity="error",reason="BackendNotFound"} 1'));
  t.true(metrics.includes('fairlead_table_version 1'));

  const post = await get(fairlead.admin, '/healthz', { method: 'POST' });
  t.is(post.status, 405);
});

test('an open WebSocket is counted for as long as it is open', async (t) => {
  const backend = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  t.teardown(() => backend.close());
  await once(backend, 'listening');
  const { port } = backend.address() as AddressInfo;
  const fairlead = await startFairlead(t, { files: { 'site.yaml': documents(ingress('web'), service('web'), endpoints('web', port)) } });
  const isCounted = async (count: number): Promise<boolean> => (await get(fairlead.admin, '/metrics')).body.includes(`\nfairlead_upgraded_connections ${count}\n`);
  t.true(await isCounted(0));
  const socket = new WebSocket(`ws://127.0.0.1:${fairlead.http}/`, { headers: { host: 'shop.example.com' } });
  await once(socket, 'open');
  t.true(await isCounted(1));
  socket.close();
  await once(socket, 'close');
  await eventually('it is gone', () => isCounted(0));
  t.pass();
});

test('workers leave what they have compiled where NODE_COMPILE_CACHE says, before they end, for those that come after them', async (t) => {
  const folder = join(temporaryFolder(t), 'compiled');
  await startFairlead(t, { env: { NODE_COMPILE_CACHE: folder } });
  t.truthy(await eventually('it is there', () => existsSync(folder) && readdirSync(folder, { recursive: true }).length > 100));
});

test('a killed worker is replaced and the counters of before are kept', async (t) => {
  const port = await startBackend(t, 'web');
  const fairlead = await startFairlead(t, { files: { 'site.yaml': documents(ingress('web'), service('web'), endpoints('web', port)) }, args: ['--workers', '2'] });
  const requests = async (): Promise<number> => Number(/fairlead_requests_total\{[^}]*\} (\d+)/.exec((await get(fairlead.admin, '/metrics')).body)?.[1] ?? 0);
  for (let i = 0; i < 20; i++) await get(fairlead.http, '/', { host: 'shop.example.com' });
  t.is(await requests(), 20);
  const [worker] = childrenOf(fairlead.child.pid);
  process.kill(worker ?? 0, 'SIGKILL');
  await eventually('the log tells of it', () => fairlead.log.some((line) => String(line['msg']).includes('ended and is replaced: signal SIGKILL')));
  await eventually('both serve again', async () => !(await get(fairlead.admin, '/metrics')).body.match(/fairlead_worker_version_lag\{worker="\d"\} [^0]/));
  t.is(await requests(), 20);
  for (let i = 0; i < 10; i++) t.is((await get(fairlead.http, '/', { host: 'shop.example.com' })).status, 200);
});

test('SIGTERM turns readiness off, lets an open request finish, and exits with 0', async (t) => {
  const backend = await startBackend(t, 'slow', (_request, response) => void setTimeout(() => response.end('slow but whole'), 1500));
  const fairlead = await startFairlead(t, { files: { 'site.yaml': documents(ingress('web'), service('web'), endpoints('web', backend)) }, args: ['--shutdown-delay', '500ms'] });
  const open = get(fairlead.http, '/', { host: 'shop.example.com' });
  await pause(200);
  const stopped = fairlead.stop();
  const readiness = await eventually('not ready', async () => {
    const answer = await get(fairlead.admin, '/readyz');
    return answer.status === 503 && answer;
  });
  t.is(readiness.body, 'draining\n');
  t.is((await open).body, 'slow but whole');
  t.is(await stopped, 0);
});

test('a process that is told to end while it starts never says that it is ready', async (t) => {
  const dir = temporaryFolder(t, { 'site.yaml': documents(ingress('web'), service('web')) });
  const { code, stdout, stderr } = await runCli(['run', '--manifests', dir, '--http-port', '0', '--https-port', '0', '--admin-port', '0', '--bind', '127.0.0.1', '--workers', '1'], {}, '"msg":"settings"');
  t.is(code, 0);
  t.true(stderr.includes('"draining"'), stderr);
  t.is(stdout, '');
});

test('a second signal exits at once', async (t) => {
  const backend = await startBackend(t, 'never', () => undefined);
  const fairlead = await startFairlead(t, { files: { 'site.yaml': documents(ingress('web'), service('web'), endpoints('web', backend)) } });
  const hanging = new Promise<string>((resolve) => request({ port: fairlead.http, host: '127.0.0.1', headers: { host: 'shop.example.com' } }).on('error', (error) => resolve(error.message)).end());
  await pause(200);
  const stopped = fairlead.stop();
  await eventually('it drains', () => fairlead.log.some((line) => line['msg'] === 'draining'));
  fairlead.child.kill('SIGTERM');
  t.is(await stopped, 143);
  t.truthy(await hanging);
});

test('a broken file does not stop what was served before, and the log says where it is broken', async (t) => {
  const port = await startBackend(t, 'web');
  const site = documents(ingress('web'), service('web'), endpoints('web', port));
  const fairlead = await startFairlead(t, { files: { 'site.yaml': site } });
  fairlead.write('site.yaml', `${site}\n---\n{ "kind": [`);
  await eventually('the log tells of it', () => fairlead.log.find((line) => line['level'] === 'error' && String(line['file']).endsWith('site.yaml')));
  t.is((await get(fairlead.http, '/', { host: 'shop.example.com' })).status, 200);
});

test('Ingresses of another class are counted in the log, as often as their number changes', async (t) => {
  const port = await startBackend(t, 'web');
  const other = (name: string): string => ingress(name).replace('"spec":{', '"spec":{"ingressClassName":"nginx",');
  const fairlead = await startFairlead(t, { files: { 'site.yaml': documents(ingress('web'), service('web'), endpoints('web', port)), 'one.yaml': other('one') } });
  await eventually('one', () => fairlead.log.find(({ msg }) => String(msg).startsWith('1 Ingress is of another class ("nginx") and not served')));
  fairlead.write('two.yaml', other('two'));
  await eventually('two', () => fairlead.log.find(({ msg }) => String(msg).startsWith('2 Ingresses are of another class')));
  t.is(fairlead.log.filter(({ msg }) => /of another class/.test(String(msg))).length, 2);
});

test('an ExternalName Service gets the addresses that the DNS gives, but no loopback', async (t) => {
  const dns = await startDns(t, { 'api.example.net': ['203.0.113.7', '127.0.0.1'] });
  const external = JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'shop' }, spec: { type: 'ExternalName', externalName: 'api.example.net', ports: [{ port: 80 }] } });
  const files = { 'site.yaml': documents(ingress('web'), external) };
  const fairlead = await startFairlead(t, { files, args: ['--dns-servers', dns.address] });
  t.regex((await get(fairlead.admin, '/table')).body, /cluster shop\/web:80 .*\n {2}203\.0\.113\.7:80\n/);
  t.regex((await get(fairlead.admin, '/problems')).body, /RefNotPermitted[^]*127\.0\.0\.1/, 'loopback is refused');
  const { stdout } = await runCli(['explain', temporaryFolder(t, files), 'http://shop.example.com/', '--dns-servers', dns.address]);
  t.regex(stdout, /cluster +shop\/web:80\n +HTTP\/1\.1 in clear text; round robin\n +203\.0\.113\.7:80/);
});

test('a port that is taken is one clear line', async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const dir = temporaryFolder(t);
  const result = await runCli(['run', '--manifests', dir, '--bind', '127.0.0.1', '--http-port', String(port), '--https-port', '0', '--admin-port', '0']);
  t.deepEqual([result.code, result.stdout], [1, '']);
  t.is(result.stderr, `fairlead: cannot listen on 127.0.0.1:${port}: another process listens there\n`);
  const admin = await runCli(['run', '--manifests', dir, '--bind', '127.0.0.1', '--http-port', '0', '--https-port', '0', '--admin-port', String(port), '--log-level', 'silent']);
  t.deepEqual([admin.code, admin.stderr], [1, `fairlead: cannot listen on 127.0.0.1:${port}: another process listens there\n`]);
});
