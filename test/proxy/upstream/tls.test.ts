// TLS to endpoints: which name is sent and checked, whom we trust, and that a Host can change neither.
import type tls from 'node:tls';
import test from 'ava';
import { Dispatchers } from '../../../proxy/upstream/dispatchers.ts';
import { UndiciUpstream } from '../../../proxy/upstream/http1/undici-upstream.ts';
import { readyBody } from '../../support/endpoint-body.ts';
import { send, testCluster } from '../../support/endpoint-call.ts';
import { answer, bytes, rawEndpoint, silent } from '../../support/endpoint-raw.ts';
import type { RawEndpoint, Script } from '../../support/endpoint-raw.ts';
import { testCa } from '../../support/endpoint-tls.ts';

const ca = testCa();
const server = ca.issue(['web.shop.svc', '127.0.0.1']);

interface Setup {
  readonly raw: RawEndpoint;
  readonly dispatchers: Dispatchers;
  readonly upstream: UndiciUpstream;
  /** Of every handshake: SNI (false: none), whether it was resumed, the client certificate's CN. */
  readonly handshakes: { sni: string | false; resumed: boolean; client: string | undefined }[];
}

async function setup(t: { teardown(fn: () => Promise<void>): void }, script: Script = answer('secret'), options: tls.TlsOptions = {}): Promise<Setup> {
  const handshakes: Setup['handshakes'] = [];
  const raw = await rawEndpoint(script, {
    tls: { ...server, ...options },
    onConnection(socket) {
      const secure = socket as tls.TLSSocket & { servername: string | false };
      handshakes.push({ sni: secure.servername, resumed: secure.isSessionReused(), client: secure.getPeerCertificate().subject?.CN?.toString() });
    },
  });
  const dispatchers = new Dispatchers({ keepAliveMs: 60_000 });
  t.teardown(async () => {
    await dispatchers.destroy();
    await raw.close();
  });
  return { raw, dispatchers, upstream: new UndiciUpstream(dispatchers), handshakes };
}

test('requests for many hosts share one connection with the name of the cluster', async (t) => {
  const { raw, upstream, handshakes } = await setup(t);
  const cluster = testCluster({ tls: { serverName: 'web.shop.svc', verify: true, caPem: ca.certPem } });
  for (const authority of ['a.example.com', 'b.example.com:8443', '[::1]', 'c.example.com', '']) {
    const got = await send(upstream, cluster, raw.endpoint, { authority }).over;
    t.is(got.error, undefined);
    t.is(got.body.toString(), 'secret');
    t.is(raw.requests.at(-1)?.values('host')[0], authority === '' ? `${raw.endpoint.address}:${raw.endpoint.port}` : authority);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.deepEqual(handshakes, [{ sni: 'web.shop.svc', resumed: false, client: undefined }]);
});

test('without a name there is no SNI, and the certificate is checked against the address', async (t) => {
  const { raw, upstream, handshakes } = await setup(t);
  const cluster = testCluster({ tls: { verify: true, caPem: ca.certPem } });
  t.is((await send(upstream, cluster, raw.endpoint).over).status, 200);
  t.false(handshakes[0]?.sni);
  const other = await setup(t, answer('x'), ca.issue(['web.shop.svc']));
  const got = await send(other.upstream, cluster, other.raw.endpoint).over;
  t.like(got.error, { reason: 'UpstreamConnectionFailure', status: 502, retry: 'yes' });
});

test('an address as the name is checked, but not sent', async (t) => {
  const { raw, upstream, handshakes } = await setup(t);
  t.is((await send(upstream, testCluster({ tls: { serverName: '127.0.0.1', verify: true, caPem: ca.certPem } }), raw.endpoint).over).status, 200);
  t.false(handshakes[0]?.sni);
  t.is((await send(upstream, testCluster({ name: 'b', tls: { serverName: '127.0.0.2', verify: true, caPem: ca.certPem } }), raw.endpoint).over).error?.reason, 'UpstreamConnectionFailure');
});

for (const [title, settings] of [
  ['another name than the one in the certificate', { serverName: 'other.shop.svc', verify: true, caPem: ca.certPem }],
  ['a CA that did not sign it', { serverName: 'web.shop.svc', verify: true, caPem: testCa('other CA').certPem }],
  ['the default trust anchors', { serverName: 'web.shop.svc', verify: true }],
  ['trust anchors that are none', { serverName: 'web.shop.svc', verify: true, caPem: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' }],
  ['a client certificate that the table does not have', { serverName: 'web.shop.svc', verify: true, caPem: ca.certPem, clientCertificate: 'sha256/none' }],
] as const) {
  test(`with ${title} nothing is sent`, async (t) => {
    const { raw, upstream, dispatchers } = await setup(t);
    const body = readyBody('password');
    for (let nth = 0; nth < 3; nth++) {
      const got = await send(upstream, testCluster({ tls: settings }), raw.endpoint, { method: 'POST', body }).over;
      t.like(got.error, { reason: 'UpstreamConnectionFailure', status: 502, retry: 'yes', side: 'upstream' });
    }
    t.false(body.started);
    t.is(raw.requests.length, 0);
    t.like(dispatchers.stats(), { connections: 0, active: 0 });
  });
}

test('without verification any certificate will do, and the name is still sent', async (t) => {
  const { raw, upstream, handshakes } = await setup(t);
  const got = await send(upstream, testCluster({ tls: { serverName: 'whatever', verify: false } }), raw.endpoint).over;
  t.is(got.status, 200);
  t.is(handshakes[0]?.sni, 'whatever');
});

test('the client certificate of the cluster is presented', async (t) => {
  const { raw, upstream, dispatchers, handshakes } = await setup(t, answer('ok'), { requestCert: true, rejectUnauthorized: true, ca: ca.certPem });
  const own = ca.issue(['proxy.fairlead']);
  dispatchers.retain({
    clusters: {},
    endpoints: {},
    certificates: { 'sha256/own': { name: 'sha256/own', hostnames: [], notAfter: 0, chainPem: own.cert, keyPem: own.key } },
  });
  const got = await send(upstream, testCluster({ tls: { serverName: 'web.shop.svc', verify: true, caPem: ca.certPem, clientCertificate: 'sha256/own' } }), raw.endpoint).over;
  t.is(got.status, 200);
  t.is(handshakes[0]?.client, 'proxy.fairlead');
});

test('a second connection to the same endpoint resumes the session of the first', async (t) => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const { raw, upstream, handshakes } = await setup(t, (request, socket, connection, nth) => {
      answer('ok', ['connection: close'])(request, socket, connection, nth);
    }, { maxVersion });
    const cluster = testCluster({ tls: { serverName: 'web.shop.svc', verify: true, caPem: ca.certPem } });
    await send(upstream, cluster, raw.endpoint).over;
    await raw.idle();
    await send(upstream, cluster, raw.endpoint).over;
    t.deepEqual(handshakes.map(({ resumed }) => resumed), [false, true], maxVersion);
  }
});

test('the connect timeout covers the handshake, exactly', async (t) => {
  const raw = await rawEndpoint(silent);
  const dispatchers = new Dispatchers();
  t.teardown(async () => {
    await dispatchers.destroy();
    await raw.close();
  });
  const startedAt = performance.now();
  const got = await send(new UndiciUpstream(dispatchers), testCluster({ connectTimeoutMs: 80, tls: { verify: false } }), raw.endpoint).over;
  const elapsed = performance.now() - startedAt;
  t.like(got.error, { reason: 'UpstreamConnectionTimeout', status: 504, retry: 'yes' });
  t.true(elapsed >= 78 && elapsed < 900, `${elapsed} ms`);
  await raw.idle();
});

test('an endpoint that answers a handshake in clear text is a failed connection', async (t) => {
  const raw = await rawEndpoint(bytes(''), { onConnection: (socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n') });
  const dispatchers = new Dispatchers();
  t.teardown(async () => {
    await dispatchers.destroy();
    await raw.close();
  });
  const got = await send(new UndiciUpstream(dispatchers), testCluster({ tls: { verify: false } }), raw.endpoint).over;
  t.is(got.error?.reason, 'UpstreamConnectionFailure');
});

test('an endpoint that cuts a TLS connection inside a body never gives a complete answer', async (t) => {
  const { raw, upstream } = await setup(t, (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', () => setTimeout(() => socket.destroy(), 10));
  });
  const recorded = await send(upstream, testCluster({ tls: { verify: false } }), raw.endpoint).over;
  t.deepEqual(recorded.events, ['head', 'data', 'error']);
  t.is(recorded.error?.reason, 'UpstreamConnectionTermination');
});
