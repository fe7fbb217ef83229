// TLS from manifests to handshakes, with real processes: what an operator configures is what openssl, curl and Node see.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import test from 'ava';
import { startBackend } from '../support/fairlead-backend.ts';
import { eventually, get } from '../support/fairlead-http.ts';
import { documents, endpoints, service } from '../support/fairlead-manifests.ts';
import { startFairlead } from '../support/fairlead-run.ts';
import { ask } from '../support/https-client.ts';
import { ocspAnswer, startResponder } from '../support/ocsp-responder.ts';
import { folder, sClient, withOpenssl } from '../support/openssl.ts';
import { authority, issue } from '../support/pki.ts';
import { has } from '../support/program.ts';
import { proxyV2 } from '../support/proxy-header.ts';
import { ingressOf, secretOf } from '../support/tls-manifests.ts';

const CA = authority('site authority');
const CLIENTS = authority('client authority');
const ann = issue(CLIENTS, 'ann');

test('a host with a certificate is redirected to https, told to stay there, and counted', async (t) => {
  const port = await startBackend(t, 'web');
  const leaf = issue(CA, 'a.test', { names: ['a.test'], until: 40 });
  const site = documents(service('web'), endpoints('web', port), secretOf('cert', { 'tls.crt': leaf.certPem, 'tls.key': leaf.keyPem }), ingressOf('a', 'a.test', { tls: 'cert' }), ingressOf('b', 'b.test'));
  const fairlead = await startFairlead(t, { files: { 'site.yaml': site }, args: ['--hsts-max-age', '600', '--hsts-preload'] });
  const redirect = await get(fairlead.http, '/x', { host: 'a.test' });
  t.deepEqual([redirect.status, redirect.headers['location'], redirect.headers['strict-transport-security']], [308, 'https://a.test/x', undefined]);
  for (const version of ['1.1', '2'] as const) {
    const secure = await ask(fairlead.https, 'a.test', { ca: CA.certPem, rejectUnauthorized: true, version });
    t.deepEqual([secure.status, secure.headers['strict-transport-security']], [200, 'max-age=600; includeSubDomains; preload']);
  }
  const other = await ask(fairlead.https, 'b.test');
  t.deepEqual([other.status, other.headers['strict-transport-security']], [200, undefined], 'no certificate of its own');
  t.is((await get(fairlead.http, '/', { host: 'b.test' })).status, 200);
  const metrics = (await get(fairlead.admin, '/metrics')).body;
  const seconds = Number(/^fairlead_certificate_expiry_seconds\{host="a\.test"\} (\S+)$/m.exec(metrics)?.[1]);
  t.true(Math.abs(seconds - (Date.now() / 1000 + 40 * 86_400)) < 3600, `${seconds}`);
  t.regex(metrics, /^fairlead_certificate_expiry_seconds\{host="\*"\} \d+/m);
});

test('client certificates by annotation: in with one, out without, and out for all when the Secret goes', async (t) => {
  const told: (string | undefined)[] = [];
  const port = await startBackend(t, 'web', (request, response) => {
    told.push(request.headers['ssl-client-subject-dn'] as string | undefined);
    response.end('in');
  });
  const ca = secretOf('clients', { 'ca.crt': CLIENTS.certPem });
  const site = documents(service('web'), endpoints('web', port), ingressOf('a', 'a.test', { annotations: { 'auth-tls-secret': 'shop/clients' } }), ingressOf('open', 'open.test'));
  const fairlead = await startFairlead(t, { files: { 'site.yaml': site, 'ca.yaml': ca } });
  t.is((await ask(fairlead.https, 'a.test')).status, 400);
  t.is((await ask(fairlead.https, 'a.test', { client: ann })).status, 200);
  t.is((await ask(fairlead.https, 'open.test', { host: 'a.test', client: ann })).status, 421);
  t.is((await get(fairlead.http, '/', { host: 'a.test' })).status, 403);
  t.deepEqual(told, ['CN=ann']);
  fairlead.remove('ca.yaml');
  await eventually('the host is closed', async () => (await ask(fairlead.https, 'a.test', { client: ann })).status === 403);
  t.regex((await get(fairlead.admin, '/problems')).body, /there is no Secret "shop\/clients"; as nobody can be checked, every request is answered 403/);
  t.is((await ask(fairlead.https, 'open.test')).status, 200);
  fairlead.write('ca.yaml', ca);
  await eventually('it is open again', async () => (await ask(fairlead.https, 'a.test', { client: ann })).status === 200);
});

test('an auth-tls annotation that cannot be understood closes its host, or its routes where an older Ingress asks, and is told once with what clients get', async (t) => {
  const port = await startBackend(t, 'web');
  const path = (text: string, name: string): string => ingressOf(name, 'b.test', { annotations: name === 'younger' ? { 'auth-tls-secret': 'clients' } : { 'auth-tls-secret': 'shop/clients' } })
    .replace('"path":"/"', `"path":"${text}"`).replace('"namespace":"shop"', `"namespace":"shop","creationTimestamp":"2026-0${name === 'older' ? 1 : 2}-01T00:00:00Z"`);
  const site = documents(
    service('web'), endpoints('web', port), secretOf('clients', { 'ca.crt': CLIENTS.certPem }),
    ingressOf('a', 'a.test', { annotations: { 'auth-tls-secret': 'shop/clients', 'auth-tls-match-cn': 'ann', 'auth-tls-pass-certificate-to-upstream': 'yes' } }),
    ingressOf('beside', 'a.test').replace('"path":"/"', '"path":"/beside"'),
    path('/', 'older'), path('/younger', 'younger'),
  );
  const fairlead = await startFairlead(t, { files: { 'site.yaml': site } });
  for (const target of ['/', '/beside']) {
    t.is((await ask(fairlead.https, 'a.test', { client: ann, path: target })).status, 403, target);
    t.is((await get(fairlead.http, target, { host: 'a.test' })).status, 403, target);
  }
  t.is((await ask(fairlead.https, 'b.test', { client: ann })).status, 200);
  t.is((await ask(fairlead.https, 'b.test', { client: ann, path: '/younger' })).status, 503);
  t.is((await ask(fairlead.https, 'b.test', { path: '/younger' })).status, 400);
  const problems = JSON.parse((await get(fairlead.admin, '/problems?output=json')).body) as { readonly object: string; readonly field: string; readonly message: string; readonly done: string }[];
  t.deepEqual(problems.map(({ object, field, message, done }) => [object, /auth-tls-[a-z-]+/.exec(field)?.[0], message, done]), [
    ['Ingress shop/a', 'auth-tls-match-cn', 'the value must begin with CN=, and it is "ann"; as nobody can be checked, every request is answered 403', 'every request to the host is answered 403'],
    ['Ingress shop/a', 'auth-tls-pass-certificate-to-upstream', 'the value must be true or false, and it is "yes"; as nobody can be checked, every request is answered 403', 'every request to the host is answered 403'],
    ['Ingress shop/younger', 'auth-tls-secret', 'the value must be namespace/name of a Secret, and it is "clients"; host "b.test" asks for client certificates as Ingress shop/older metadata.annotations[nginx.ingress.kubernetes.io/auth-tls-secret] says, and the routes of this one are denied', 'requests that it routes are answered 503'],
  ]);
});

test('endpoints are shown a certificate and checked as annotated', async (t) => {
  const shown: string[] = [];
  const own = issue(CA, 'web', { names: ['web.shop.svc'] });
  const proxy = issue(CLIENTS, 'proxy');
  const server = createTlsServer({ cert: own.certPem, key: own.keyPem, requestCert: true, rejectUnauthorized: false, ca: CLIENTS.certPem }, (socket) => {
    shown.push(String(socket.getPeerCertificate().subject?.CN));
    socket.on('error', () => undefined);
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const annotations = { 'backend-protocol': 'HTTPS', 'proxy-ssl-secret': 'shop/peer', 'proxy-ssl-verify': 'on' };
  const peer = (caPem: string): string => secretOf('peer', { 'ca.crt': caPem, 'tls.crt': proxy.certPem, 'tls.key': proxy.keyPem });
  const site = documents(service('web'), endpoints('web', (server.address() as AddressInfo).port), ingressOf('a', 'a.test', { annotations }));
  const fairlead = await startFairlead(t, { files: { 'site.yaml': site, 'peer.yaml': peer(CA.certPem) } });
  t.is((await get(fairlead.http, '/', { host: 'a.test' })).status, 200);
  t.deepEqual(shown, ['proxy']);
  fairlead.write('peer.yaml', peer(CLIENTS.certPem));
  await eventually('the endpoint is no longer believed', async () => (await get(fairlead.http, '/', { host: 'a.test' })).status === 502);
  fairlead.write('peer.yaml', peer(CA.certPem));
  await eventually('and is again', async () => (await get(fairlead.http, '/', { host: 'a.test' })).status === 200);
});

test('TLS is passed through to the endpoints, and PROXY protocol headers are read, both on the same port', async (t) => {
  const port = await startBackend(t, 'web');
  const pod = issue(CA, 'pod', { names: ['pass.test'] });
  const server = createTlsServer({ cert: pod.certPem, key: pod.keyPem, ALPNProtocols: ['http/1.1'] }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\npods'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const site = documents(service('web'), endpoints('web', port), service('pod'), endpoints('pod', (server.address() as AddressInfo).port), ingressOf('pass', 'pass.test', { service: 'pod', annotations: { 'ssl-passthrough': 'true' } }), ingressOf('a', 'a.test'));
  const fairlead = await startFairlead(t, { files: { 'site.yaml': site }, args: ['--use-proxy-protocol', '--proxy-protocol-from', '127.0.0.0/8'] });
  const client = { address: '203.0.113.9', port: 4711, localPort: 443 };
  const opened = async () => {
    const socket = connect(fairlead.https, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write(proxyV2(client));
    return socket;
  };
  t.like(await ask(fairlead.https, 'pass.test', { socket: await opened(), ca: CA.certPem, rejectUnauthorized: true }), { status: 200, body: 'pods', cn: 'pod' });
  t.is((await ask(fairlead.https, 'a.test', { socket: await opened() })).status, 200);
  await eventually('a line for the connection that was passed through', () => fairlead.accessLog.some((line) => line['msg'] === 'passthrough' && line['client'] === client.address && line['host'] === 'pass.test' && String(line['route']).startsWith('Ingress shop/pass ') && Number(line['bytes_in']) > 0));
  t.regex((await get(fairlead.admin, '/metrics')).body, /^fairlead_passthrough_connections_total\{service="shop\/pod:80",reason=""\} 1$/m);
  await eventually('an access log line', () => fairlead.accessLog.some((line) => line['client'] === client.address && line['host'] === 'a.test'));
});

withOpenssl('two workers resume the sessions of each other', async (t) => {
  const port = await startBackend(t, 'web');
  const fairlead = await startFairlead(t, { files: { 'site.yaml': documents(service('web'), endpoints('web', port), ingressOf('a', 'a.test')) }, args: ['--workers', '2'] });
  const dir = folder(t);
  for (const version of ['tls1_2', 'tls1_3'] as const) {
    await sClient(dir, { port: fairlead.https, serverName: 'a.test', version, saveSession: version });
    for (let nth = 0; nth < 8; nth++) t.true((await sClient(dir, { port: fairlead.https, serverName: 'a.test', version, session: version })).resumed, `${version} ${nth}`);
  }
});

withOpenssl('what the responder says is stapled, and a responder that says nothing delays nothing', async (t) => {
  const port = await startBackend(t, 'web');
  const responder = await startResponder(t);
  const leaf = issue(CA, 'a.test', { names: ['a.test'], ocsp: responder.url });
  const site = documents(service('web'), endpoints('web', port), secretOf('cert', { 'tls.crt': leaf.certPem + CA.certPem, 'tls.key': leaf.keyPem }), ingressOf('a', 'a.test', { tls: 'cert' }));
  const silent = await startFairlead(t, { files: { 'site.yaml': site }, args: ['--ocsp-stapling'] });
  const dir = folder(t);
  const status = (run: typeof silent) => sClient(dir, { port: run.https, serverName: 'a.test', version: 'tls1_3', args: ['-status'] });
  const startedAt = performance.now();
  t.regex((await status(silent)).output, /OCSP response: no response sent/);
  t.true(performance.now() - startedAt < 5_000);
  responder.answer = () => ocspAnswer(CA, leaf);
  const fairlead = await startFairlead(t, { files: { 'site.yaml': site }, args: ['--ocsp-stapling'] });
  await eventually('a staple', async () => /OCSP Response Status: successful/.test((await status(fairlead)).output));
});

test('curl takes the certificate, and the flags set versions and suites', async (t) => {
  if (!has(t, 'curl')) return t.pass();
  const port = await startBackend(t, 'web');
  const leaf = issue(CA, 'a.test', { names: ['a.test'] });
  const site = documents(service('web'), endpoints('web', port), secretOf('cert', { 'tls.crt': leaf.certPem, 'tls.key': leaf.keyPem }), ingressOf('a', 'a.test', { tls: 'cert' }));
  const fairlead = await startFairlead(t, { files: { 'site.yaml': site }, args: ['--ssl-protocols', 'TLSv1.2', '--ssl-ciphers', 'ECDHE-ECDSA-CHACHA20-POLY1305'] });
  const dir = folder(t);
  writeFileSync(join(dir, 'ca.pem'), CA.certPem);
  const curl = (...args: readonly string[]) => new Promise<{ readonly failed: boolean; readonly stdout: string; readonly stderr: string }>((resolve) => {
    execFile('curl', ['-sS', '-v', '--cacert', join(dir, 'ca.pem'), '--resolve', `a.test:${fairlead.https}:127.0.0.1`, ...args, `https://a.test:${fairlead.https}/`], (error, stdout, stderr) => resolve({ failed: error !== null, stdout, stderr }));
  });
  const run = await curl();
  t.is(run.stdout, 'web GET /');
  t.regex(run.stderr, /SSL connection using TLSv1\.2 \/ ECDHE-ECDSA-CHACHA20-POLY1305/);
  t.true((await curl('--tlsv1.3')).failed);
});
