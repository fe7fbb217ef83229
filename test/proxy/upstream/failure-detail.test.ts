// What the access log says of a try that failed: the cause, so that a person knows what to repair.
import tls from 'node:tls';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { accessLogLine } from '../../../proxy/observe/access-log.ts';
import { failureDetail } from '../../../proxy/upstream/failure-detail.ts';
import type { Cluster } from '../../../proxy/table/cluster.ts';
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import { testCa } from '../../support/endpoint-tls.ts';
import { RawClient, exchangeRaw, statusOf } from '../../support/raw-client.ts';

const ca = testCa();
const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const UPGRADE = 'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** The port of a server that does this with each connection. */
async function listening(t: ExecutionContext, server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

function saying(bytes: string): net.Server {
  return net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(bytes));
  });
}

/** The attempts of the log line of one request. */
async function attemptsOf(t: ExecutionContext, port: number, more: Partial<Cluster>, request = GET): Promise<readonly { error: string; detail?: string }[]> {
  const plane = await startDataPlane(simpleTable([endpoint(port)], {}, more));
  t.teardown(() => plane.close());
  if (request === GET) {
    const { message, client } = await exchangeRaw(plane.port, GET);
    client.destroy();
    t.true(statusOf(message) >= 502);
  } else {
    const client = await RawClient.connect(plane.port);
    client.write(request);
    for (const end = performance.now() + 5_000; plane.log.length === 0 && performance.now() < end;) await new Promise((resolve) => setTimeout(resolve, 5));
    client.destroy();
  }
  const line = JSON.parse(accessLogLine(plane.log[0]!.exchange, 0, 0, 0, 0)) as { attempts: { error: string; detail?: string }[] };
  return line.attempts;
}

for (const [what, request] of [['request', GET], ['WebSocket', UPGRADE]] as const) {
  test(`the log line of a ${what} that no endpoint took says why`, async (t) => {
    const secure = (names: readonly string[]): net.Server => tls.createServer(ca.issue([...names])).on('tlsClientError', () => undefined);
    const closed = saying('');
    const gone = await listening(t, closed);
    await new Promise((resolve) => closed.close(resolve));
    const named = { serverName: 'web.test', verify: true };
    const cases: readonly (readonly [string, number, Partial<Cluster>, RegExp])[] = [
      ['UpstreamConnectionFailure', gone, {}, /^ECONNREFUSED: /],
      ['UpstreamConnectionFailure', await listening(t, secure(['other.test'])), { tls: { ...named, caPem: ca.certPem } }, /^ERR_TLS_CERT_ALTNAME_INVALID: .*other\.test/],
      ['UpstreamConnectionFailure', await listening(t, secure(['web.test'])), { tls: { ...named } }, /^(UNABLE_TO|SELF_SIGNED|DEPTH_ZERO)[A-Z_]+: [^;]*$/],
      ['UpstreamConnectionFailure', await listening(t, saying('HTTP/1.1 400 Bad Request\r\n\r\n')), { tls: { ...named } }, /wrong version number|packet length too long/i],
      ['UpstreamProtocolError', await listening(t, saying('this is no HTTP\r\n\r\n')), {}, /^HPE_[A-Z_]+: ./],
      ['UpstreamProtocolError', await listening(t, saying(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`)), {}, /^[A-Z_]+: ./],
    ];
    for (const [error, port, cluster, detail] of cases) {
      const [attempt] = await attemptsOf(t, port, cluster, request);
      t.is(attempt?.error, error);
      t.regex(attempt?.detail ?? '', detail);
      t.true((attempt?.detail ?? '').length <= 200);
      t.false((attempt?.detail ?? '').includes('yyy'), 'nothing of the message');
    }
  });
}

test('the detail is short, takes the first error that has a code, and never holds what looks like a key', (t) => {
  const coded = Object.assign(new Error('connect E 10.0.0.1:80'), { code: 'E' });
  t.is(failureDetail(new Error('outer', { cause: new Error('middle', { cause: coded }) })), 'E: connect E 10.0.0.1:80');
  t.is(failureDetail(new Error('no code')), 'no code');
  t.is(failureDetail('x'.repeat(300))?.length, 200);
  t.is(failureDetail(undefined), undefined);
  t.is(failureDetail(new Error('-----BEGIN PRIVATE KEY-----')), undefined);
});
