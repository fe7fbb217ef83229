// Upgrades that an endpoint refuses: its answer reaches the client as a whole one, or as none.
import test from 'ava';
import { until } from '../../support/endpoint-call.ts';
import { bytes } from '../../support/endpoint-raw.ts';
import { UPGRADE, rawClient, scripted, tunnel } from '../../support/tunnel-site.ts';

test('a refusal with a chunked body is relayed with correct framing, and ends the connection', async (t) => {
  const raw = await scripted(t, bytes('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=5\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'));
  const { front: made, connector } = await tunnel(t, raw.endpoint);
  const client = rawClient(t, made.port, UPGRADE);
  await client.closed;
  t.regex(client.received(), /^HTTP\/1\.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nX-Proxy: fairlead\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n(3\r\nabc\r\n2\r\nde\r\n|5\r\nabcde\r\n)0\r\n\r\n$/);
  const [record] = made.records;
  await record?.over;
  t.like(record, { events: ['refused', 'close'], status: 401, bytesOut: 5, error: undefined });
  await until(() => connector.open === 0);
});

test('refusals with a length, without a body and with a large body arrive whole', async (t) => {
  const large = 'z'.repeat(2_000_000);
  for (const [answer, expected] of [
    ['HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope', 'content-length: 4\r\nconnection: close\r\n\r\nnope'],
    ['HTTP/1.1 204 No Content\r\n\r\n', 'connection: close\r\n\r\n'],
    [`HTTP/1.1 200 OK\r\nContent-Length: ${large.length}\r\n\r\n${large}`, large],
  ] as const) {
    const raw = await scripted(t, bytes(answer));
    const { front: made } = await tunnel(t, raw.endpoint);
    const client = rawClient(t, made.port, UPGRADE);
    await client.closed;
    t.true(client.received().endsWith(expected));
    t.is(made.records[0]?.error, undefined);
  }
});

test('a refusal in a coding that the client would not hear of is not passed on', async (t) => {
  for (const coding of ['gzip, chunked', 'gzip']) {
    const raw = await scripted(t, bytes(`HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: ${coding}\r\n\r\n3\r\nabc\r\n0\r\n\r\n`));
    const { front: made } = await tunnel(t, raw.endpoint);
    rawClient(t, made.port, UPGRADE);
    await until(() => made.records.length === 1);
    await made.records[0]?.over;
    t.like(made.records[0], { events: ['error'], error: { reason: 'UpstreamProtocolError', status: 502 } });
  }
});

test('a refusal reaches a client that has begun to speak already', async (t) => {
  const raw = await scripted(t, bytes('HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope'));
  const { front: made } = await tunnel(t, raw.endpoint);
  const client = rawClient(t, made.port, UPGRADE + 'x'.repeat(300_000));
  await client.closed;
  t.true(client.received().endsWith('nope'));
});

test('a refusal that is cut never looks complete', async (t) => {
  for (const answer of ['HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 10\r\n\r\nabc']) {
    const raw = await scripted(t, (_request, socket) => socket.write(answer, () => setTimeout(() => socket.destroy(), 20)));
    const { front: made } = await tunnel(t, raw.endpoint);
    const client = rawClient(t, made.port, UPGRADE);
    await client.closed;
    t.false(client.received().endsWith('0\r\n\r\n'));
    await made.records[0]?.over;
    t.is(made.records[0]?.error?.reason, 'UpstreamConnectionTermination');
  }
});
