// The first bytes of connections: PROXY protocol from those who must send it, TLS passed through unread, and what comes of
// hellos that are slow, endless or none.
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { connect as tlsConnect, createServer as createTlsServer } from 'node:tls';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { cluster, endpoint } from '../../support/data-plane.ts';
import { certificateFor, clientHello } from '../../support/hello.ts';
import { ask } from '../../support/https-client.ts';
import { issue } from '../../support/pki.ts';
import { proxyV1, proxyV2 } from '../../support/proxy-header.ts';
import { SITE_CA, startTlsPlane } from '../../support/tls-plane.ts';
import type { TlsHost, TlsTable } from '../../support/tls-plane.ts';

const V4 = { address: '203.0.113.9', port: 4711, localPort: 443 };
const V6 = { address: '2001:db8::9', port: 4711, localPort: 8443 };

/** A connection on which something is said before TLS or HTTP begins. */
async function connected(port: number, header: Buffer, apart = false): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.setNoDelay(true);
  socket.write(header);
  if (apart) await new Promise((resolve) => setTimeout(resolve, 20));
  return socket;
}

/** All that comes until the connection ends; whatever ends it. */
function everything(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => (text += String(chunk)));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n';

for (const [title, header] of [['version 1', proxyV1(V4)], ['version 2', proxyV2(V4)], ['version 2 over IPv6', proxyV2(V6)]] as const) {
  test(`PROXY protocol ${title}: the endpoint is told of the client that the balancer names, over HTTP, TLS and HTTP/2`, async (t) => {
    const plane = await startTlsPlane(t, { hosts: { 'a.test': {} }, listener: { proxyProtocol: true }, httpListener: { proxyProtocol: true } });
    const proxied = title.includes('IPv6') ? V6 : V4;
    for (const apart of [false, true]) {
      const plain = await connected(plane.port, apart ? header : Buffer.concat([header, Buffer.from(GET)]), apart);
      if (apart) plain.write(GET);
      t.regex(await everything(plain), /^HTTP\/1\.1 200 /);
      t.is(plane.requests.at(-1)?.headers.get('x-forwarded-for'), proxied.address);
      t.is(plane.requests.at(-1)?.headers.get('x-forwarded-port'), String(proxied.localPort));
      t.is(plane.requests.at(-1)?.headers.get('x-forwarded-proto'), proxied.localPort === 443 ? 'https' : 'http');
      for (const version of ['1.1', '2'] as const) {
        t.is((await ask(plane.httpsPort, 'a.test', { version, socket: await connected(plane.httpsPort, header, apart) })).status, 200);
        const { headers } = plane.requests.at(-1) ?? { headers: new Map<string, string>() };
        t.deepEqual([headers.get('x-real-ip'), headers.get('x-forwarded-proto'), headers.get('x-forwarded-port')], [proxied.address, 'https', String(proxied.localPort)]);
      }
    }
  });
}

test('a connection from a balancer that does not begin with a header is cut, counted and in the log; one without a byte is a health check', async (t) => {
  const plane = await startTlsPlane(t, { hosts: { 'a.test': {} }, listener: { proxyProtocol: true }, httpListener: { proxyProtocol: true } });
  for (const [port, bytes] of [[plane.port, GET], [plane.port, 'PROXY TCP4 nonsense\r\n'], [plane.port, `PROXY TCP4 ${'1'.repeat(20_000)}`], [plane.port, '\r\n\r\n\0\r\nQUIT\nXXXXXX'], [plane.httpsPort, clientHello({ serverName: 'a.test' }).toString('latin1')]] as const) {
    t.is(await everything(await connected(port, Buffer.from(bytes, 'latin1'))), '', JSON.stringify(bytes.slice(0, 20)));
  }
  t.is(plane.requests.length, 0);
  t.deepEqual(plane.below, [...Array.from({ length: 4 }, () => 'http InvalidProxyHeader'), 'https InvalidProxyHeader']);
  t.deepEqual(plane.log.map(({ status, reason, exchange }) => [status, reason, exchange.client.address]), Array.from({ length: 5 }, () => [400, 'InvalidProxyHeader', '127.0.0.1']));
  const probe = await connected(plane.port, Buffer.alloc(0));
  probe.end();
  t.is(await everything(probe), '');
  t.is(plane.below.length, 5);
  t.is(plane.log.length, 5);
});

test('from anybody else a header is no header: it is gated by address', async (t) => {
  const gate = { proxyProtocol: true, proxyProtocolFrom: ['192.0.2.0/24'] };
  const plane = await startTlsPlane(t, { hosts: { 'a.test': {} }, listener: gate, httpListener: gate });
  t.regex(await everything(await connected(plane.port, Buffer.concat([proxyV1(V4), Buffer.from(GET)]))), /^HTTP\/1\.1 400 /);
  t.is(plane.requests.length, 0);
  t.regex(await everything(await connected(plane.port, Buffer.from(GET))), /^HTTP\/1\.1 200 /);
  t.is(plane.requests[0]?.headers.get('x-real-ip'), '127.0.0.1');
  t.is((await ask(plane.httpsPort, 'a.test')).status, 200);
});

test('a balancer speaks for itself in a LOCAL header, and what it forwards counts for who the header names', async (t) => {
  const plane = await startTlsPlane(t, { hosts: { 'a.test': {} }, httpListener: { proxyProtocol: true, trustedProxies: ['127.0.0.0/8'] } });
  const forwarded = GET.replace('\r\n\r\n', '\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n');
  await everything(await connected(plane.port, Buffer.concat([proxyV2(V4, { command: 0 }), Buffer.from(forwarded)])));
  t.is(plane.requests[0]?.headers.get('x-real-ip'), '6.6.6.6', 'the balancer itself is trusted');
  await everything(await connected(plane.port, Buffer.concat([proxyV2(V4), Buffer.from(forwarded)])));
  t.is(plane.requests[1]?.headers.get('x-real-ip'), V4.address, 'its clients are not');
});

/** An endpoint that does TLS itself, and tells nobody how. */
async function tlsEndpoint(t: ExecutionContext, name: string): Promise<{ readonly port: number; readonly names: (string | false)[] }> {
  const own = issue(SITE_CA, name, { names: ['pass.test'] });
  const names: (string | false)[] = [];
  const server = createTlsServer({ cert: own.certPem, key: own.keyPem, ALPNProtocols: ['http/1.1'] }, (socket) => {
    names.push((socket as typeof socket & { readonly servername: string | false }).servername);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => socket.write(Buffer.concat([Buffer.from(`${name}:`), chunk])));
    socket.on('end', () => socket.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return { port: (server.address() as AddressInfo).port, names };
}

function passing(port: number, more: TlsTable['hosts'] = {}): TlsTable {
  const host: TlsHost = { passthrough: { cluster: 'test/pass:443', origin: { kind: 'Ingress', namespace: 'test', name: 'pass' } } };
  return {
    hosts: { 'pass.test': host, 'a.test': {}, ...more },
    more: {
      clusters: { 'test/web:80': cluster('test/web:80'), 'test/pass:443': cluster('test/pass:443', { tls: { verify: true }, connectTimeoutMs: 300 }) },
      endpoints: { 'test/web:80': [], 'test/pass:443': [endpoint(port)] },
    },
  };
}

test('a connection to a host that is passed through ends at the endpoint, byte for byte, and others are served as before', async (t) => {
  const { port, names } = await tlsEndpoint(t, 'pod');
  const plane = await startTlsPlane(t, passing(port));
  for (const header of [undefined, Buffer.alloc(0)]) {
    const socket = tlsConnect({ port: plane.httpsPort, host: '127.0.0.1', servername: 'PASS.test', ca: SITE_CA.certPem, checkServerIdentity: () => undefined, ...(header !== undefined && { socket: await connected(plane.httpsPort, header) }) });
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    t.is(socket.getPeerCertificate().subject.CN, 'pod');
    const large = Buffer.alloc(300_000, 'x');
    let got = 0;
    const all = new Promise<void>((resolve) => socket.on('data', (chunk: Buffer) => {
      got += chunk.length;
      if (got >= large.length) resolve();
    }));
    socket.write(large);
    await all;
    socket.end();
    await new Promise((resolve) => socket.once('close', resolve));
  }
  t.deepEqual(names, ['PASS.test', 'PASS.test'], 'as the client wrote it');
  while (plane.passages.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const { bytesIn, bytesOut, elapsedMs, ...passage } of plane.passages) {
    t.deepEqual(passage, { client: '127.0.0.1', serverName: 'pass.test', origin: { kind: 'Ingress', namespace: 'test', name: 'pass' }, cluster: 'test/pass:443', endpoint: endpoint(port), endedBy: 'client', reason: '' });
    t.true(bytesIn > 300_000 && bytesIn < 320_000 && bytesOut > 300_000 && bytesOut < 320_000 && elapsedMs > 0, `${bytesIn} ${bytesOut} ${elapsedMs}`);
  }
  t.is(plane.log.length, 0, 'nothing of it is a request');
  t.is((await ask(plane.httpsPort, 'a.test')).cn, 'a.test');
  t.is((await ask(plane.httpsPort, 'nobody.test')).cn, 'default');
});

test('behind a PROXY protocol header too, and the endpoint sees no such header', async (t) => {
  const { port } = await tlsEndpoint(t, 'pod');
  const plane = await startTlsPlane(t, { ...passing(port), listener: { proxyProtocol: true } });
  const socket = tlsConnect({ socket: await connected(plane.httpsPort, proxyV2(V4)), servername: 'pass.test', rejectUnauthorized: false });
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  t.is(socket.getPeerCertificate().subject.CN, 'pod');
  socket.destroy();
  while (plane.passages.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  t.is(plane.passages[0]?.client, V4.address, 'and the log names the client of that header');
});

test('an endpoint that is gone is passed over; with none the client is told by an alert', async (t) => {
  const { port } = await tlsEndpoint(t, 'pod');
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const gone = (closed.address() as AddressInfo).port;
  await new Promise((resolve) => closed.close(resolve));
  const table = passing(port);
  const plane = await startTlsPlane(t, { ...table, more: { ...table.more, endpoints: { 'test/web:80': [], 'test/pass:443': [endpoint(gone), endpoint(port)] } } });
  for (let nth = 0; nth < 4; nth++) {
    const socket = tlsConnect({ port: plane.httpsPort, host: '127.0.0.1', servername: 'pass.test', rejectUnauthorized: false });
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    socket.destroy();
  }
  while (plane.passages.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
  await plane.change({ ...table, more: { ...table.more, endpoints: { 'test/web:80': [], 'test/pass:443': [] } } });
  t.is(await certificateFor(plane.httpsPort, clientHello({ serverName: 'pass.test' })), 'refused');
  const error = await new Promise<Error>((resolve) => tlsConnect({ port: plane.httpsPort, host: '127.0.0.1', servername: 'pass.test', rejectUnauthorized: false }).once('error', resolve));
  t.regex(error.message, /alert internal error/i);
  await plane.change({ ...table, more: { ...table.more, endpoints: { 'test/web:80': [], 'test/pass:443': [endpoint(gone)] } } });
  t.is(await certificateFor(plane.httpsPort, clientHello({ serverName: 'pass.test' })), 'refused');
  while (plane.passages.length < 7) await new Promise((resolve) => setTimeout(resolve, 5));
  const ends = plane.passages.slice(4).map(({ endedBy, reason, endpoint: last, bytesIn, bytesOut }) => [endedBy, reason, last?.port, bytesIn, bytesOut]);
  t.deepEqual(ends, [['proxy', 'NoHealthyUpstream', undefined, 0, 7], ['proxy', 'NoHealthyUpstream', undefined, 0, 7], ['proxy', 'UpstreamConnectionFailure', gone, 0, 7]], 'seven bytes are the alert');
});

test('when one side goes, so does the other, and draining cuts what is left', async (t) => {
  const held: Socket[] = [];
  const backend = createServer((socket) => {
    held.push(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  t.teardown(() => backend.close());
  const plane = await startTlsPlane(t, passing((backend.address() as AddressInfo).port));
  const open = async (): Promise<readonly [Socket, Socket]> => {
    const before = held.length;
    const client = await connected(plane.httpsPort, clientHello({ serverName: 'pass.test' }));
    client.on('error', () => undefined);
    while (held.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
    return [client, held.at(-1) as Socket];
  };
  const closes = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.resume().once('close', resolve));
  const [one, oneHeld] = await open();
  one.destroy();
  await closes(oneHeld);
  const [two, twoHeld] = await open();
  twoHeld.destroy();
  await closes(two);
  const [three, threeHeld] = await open();
  const over = Promise.all([closes(three), closes(threeHeld)]);
  t.is(await plane.server.drain(50), 1, 'it counts as cut');
  await over;
  t.deepEqual(plane.passages.map(({ endedBy, reason }) => [endedBy, reason]), [['client', ''], ['endpoint', ''], ['proxy', 'DrainTimeout']]);
});

test('a hello that is endless, or comes with a client that leaves, or is none at all, costs nobody else anything', async (t) => {
  const plane = await startTlsPlane(t, { hosts: { 'a.test': {}, 'old.test': { tls: { maxVersion: 'TLSv1.2' } } } });
  const endless = Buffer.concat([Buffer.from([22, 3, 1, 60, 0, 1, 0, 255, 255]), Buffer.alloc(60 * 256 - 4), Buffer.from([22, 3, 1, 60, 0]), Buffer.alloc(14_000)]);
  t.is(await everything(await connected(plane.httpsPort, endless)), '', 'cut at 16 KiB');
  const left = await connected(plane.httpsPort, clientHello({ serverName: 'a.test' }).subarray(0, 30));
  left.end();
  t.is(await everything(left), '');
  const none = await everything(await connected(plane.httpsPort, Buffer.from(GET)));
  t.false(none.includes('HTTP/1.1 200'));
  t.is((await ask(plane.httpsPort, 'a.test')).status, 200);
});

for (const [what, hosts, header] of [
  ['an HTTPS port', { 'a.test': {} }, undefined],
  ['one where hellos are read first', { 'a.test': {}, 'old.test': { tls: { maxVersion: 'TLSv1.2' } } }, undefined],
  ['one behind a balancer', { 'a.test': {} }, proxyV2(V4)],
] as const) {
  test(`plain HTTP to ${what} is told so in HTTP, counted, and in the log`, async (t) => {
    const plane = await startTlsPlane(t, { hosts, listener: { proxyProtocol: header !== undefined } });
    for (const request of [GET, GET.replace('GET', 'POST'), `${GET.slice(0, -2)}X: ${'y'.repeat(5_000)}\r\n\r\n`]) {
      const answer = await everything(await connected(plane.httpsPort, Buffer.concat([header ?? Buffer.alloc(0), Buffer.from(request)])));
      t.regex(answer, /^HTTP\/1\.1 400 Bad Request\r\n(?:[^\r]+\r\n)*connection: close\r\n\r\n400 Bad Request: a plain HTTP request was sent to the HTTPS port\n$/);
    }
    t.deepEqual(plane.below, Array.from({ length: 3 }, () => 'https PlainHttpToHttpsPort'));
    t.deepEqual(plane.log.map(({ status, reason, exchange }) => [status, reason, exchange.client.address]), Array.from({ length: 3 }, () => [400, 'PlainHttpToHttpsPort', header === undefined ? '127.0.0.1' : V4.address]));
    t.is(plane.requests.length, 0);
    t.is(await everything(await connected(plane.httpsPort, Buffer.concat([header ?? Buffer.alloc(0), Buffer.from('no TLS and no HTTP\r\n')]))).then((text) => text.includes('HTTP')), false);
    t.is(plane.below.at(-1), 'https HandshakeFailed');
    t.is((await ask(plane.httpsPort, 'a.test', header === undefined ? {} : { socket: await connected(plane.httpsPort, header) })).status, 200);
  });
}

test('a hello that is slow is cut after five seconds', async (t) => {
  const plane = await startTlsPlane(t, { hosts: { 'old.test': { tls: { maxVersion: 'TLSv1.2' } } }, httpListener: { proxyProtocol: true } });
  const startedAt = performance.now();
  const slow = await connected(plane.httpsPort, clientHello({ serverName: 'old.test' }).subarray(0, 30));
  const silent = await connected(plane.port, Buffer.alloc(0));
  t.deepEqual(await Promise.all([everything(slow), everything(silent)]), ['', '']);
  const elapsed = performance.now() - startedAt;
  t.true(elapsed > 4_900 && elapsed < 9_000, `${elapsed} ms`);
});

test('a handshake before which nothing is read is cut after ten seconds, however its bytes come', async (t) => {
  const plane = await startTlsPlane(t, { hosts: { 'a.test': {} } });
  const hello = clientHello({ serverName: 'a.test' });
  const answer = Buffer.concat([Buffer.from([22, 3, 3, 0, 200]), Buffer.alloc(200)]);
  const startedAt = performance.now();
  const took = await Promise.all([[Buffer.alloc(0), Buffer.alloc(0)], [hello.subarray(0, 30), Buffer.alloc(0)], [Buffer.alloc(0), hello], [hello, answer]].map(async ([atOnce, drips]) => {
    const socket = await connected(plane.httpsPort, atOnce!);
    let at = 0;
    const timer = setInterval(() => socket.writable && socket.write(drips!.subarray(at, ++at)), 300);
    await everything(socket);
    clearInterval(timer);
    return performance.now() - startedAt;
  }));
  t.true(took.every((ms) => ms > 9_900 && ms < 14_000), took.join(' '));
  t.deepEqual(plane.below, Array.from({ length: 4 }, () => 'https HandshakeFailed'));
});

test('a hello in dust, or with an empty record inside, does not get past the settings of its host', async (t) => {
  const plane = await startTlsPlane(t, { hosts: { 'new.test': { tls: { minVersion: 'TLSv1.3' } }, 'a.test': {} } });
  // Made by hand, and of TLS 1.2.
  const hello = (serverName: string): Buffer[] => [clientHello({ serverName, recordBytes: 2 }), withEmptyRecord(clientHello({ serverName, recordBytes: 60 }))];
  t.is(await certificateFor(plane.httpsPort, clientHello({ serverName: 'new.test' })), 'refused');
  for (const bytes of [...hello('new.test'), ...hello('a.test')]) t.is(await certificateFor(plane.httpsPort, bytes), 'refused');
  t.deepEqual(plane.below, Array.from({ length: 5 }, () => 'https HandshakeFailed'));
  t.is(await certificateFor(plane.httpsPort, clientHello({ serverName: 'a.test', recordBytes: 60 })), 'a.test');
});

/** Behind the first record. */
function withEmptyRecord(hello: Buffer): Buffer {
  const first = 5 + hello.readUInt16BE(3);
  return Buffer.concat([hello.subarray(0, first), Buffer.from([22, 3, 1, 0, 0]), hello.subarray(first)]);
}

test('connections count for their address from the first moment, and not when their hello has come', async (t) => {
  const plane = await startTlsPlane(t, { hosts: { 'old.test': { tls: { maxVersion: 'TLSv1.2' } } } }, { limits: { connectionsPerAddress: 3 } });
  const silent = await Promise.all([1, 2, 3].map(() => connected(plane.httpsPort, clientHello({ serverName: 'old.test' }).subarray(0, 30))));
  const over = connected(plane.httpsPort, Buffer.alloc(0)).then(everything);
  t.is(await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 2_000, 'kept'))]), '');
  t.deepEqual(plane.below, ['https TooManyConnections']);
  for (const socket of silent) {
    socket.destroy();
    await everything(socket);
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.is((await ask(plane.httpsPort, 'old.test')).status, 200, 'places are given back');
});

test('behind a PROXY protocol header they count for the client that it names, once', async (t) => {
  const plane = await startTlsPlane(t, { hosts: { 'old.test': { tls: { maxVersion: 'TLSv1.2' } } }, listener: { proxyProtocol: true } }, { limits: { connectionsPerAddress: 1 } });
  const first = await connected(plane.httpsPort, Buffer.concat([proxyV1(V4), clientHello({ serverName: 'old.test' })]));
  await new Promise((resolve) => first.once('data', resolve));
  t.is(await everything(await connected(plane.httpsPort, Buffer.concat([proxyV1(V4), clientHello({ serverName: 'old.test' })]))), '');
  t.is((await ask(plane.httpsPort, 'old.test', { socket: await connected(plane.httpsPort, proxyV1(V6)) })).status, 200);
  t.deepEqual(plane.below, ['https TooManyConnections']);
  first.destroy();
});
