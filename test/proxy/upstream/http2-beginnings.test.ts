// Connections to HTTP/2 endpoints that come to nothing: nothing was sent on them, so that whoever waited may go elsewhere, whatever
// the method.
import { once } from 'node:events';
import net from 'node:net';
import ava from 'ava';
import type { ExecutionContext } from 'ava';
import { ManualBody } from '../../support/endpoint-body.ts';
import { send, until } from '../../support/endpoint-call.ts';
import { endpointAt, reset } from '../../support/endpoint-raw.ts';
import { OK, head } from '../../support/http2-raw-endpoint.ts';
import { HTTP2_TRANSPORTS, http2To } from '../../support/http2-upstream.ts';
import type { Http2Transport } from '../../support/http2-upstream.ts';

for (const transport of HTTP2_TRANSPORTS) suite(transport);

function suite(transport: Http2Transport): void {
  const { cluster } = transport;
  const test = (title: string, run: (t: ExecutionContext) => Promise<void>): void => ava(`${transport.name}: ${title}`, run);

  test('a connection that is reset before it is known to speak HTTP/2 has carried nothing', async (t) => {
    const { raw, upstream, dispatchers } = await http2To(t, transport, () => {}, { greets: false });
    const body = new ManualBody(5);
    const sent = send(upstream, cluster, raw.endpoint, { method: 'POST', body });
    await until(() => raw.connections.length === 1);
    reset(raw.connections[0]!.socket);
    t.like((await sent.over).error, { reason: 'UpstreamConnectionFailure', status: 502, retry: 'yes' });
    t.false(body.started);
    await until(() => dispatchers.stats().connections === 0);
  });

  for (const how of ['GOAWAY', 'its end'] as const) {
    test(`an endpoint that allows no streams, and goes on to ${how}, is not connected to again and again`, async (t) => {
      const { raw, upstream, dispatchers } = await http2To(t, transport, () => {}, { maxConcurrentStreams: 0 });
      const sent = send(upstream, cluster, raw.endpoint, { method: 'POST', body: new ManualBody(5) });
      await until(() => raw.connections.length === 1);
      if (how === 'GOAWAY') raw.connections[0]!.goaway(0);
      else raw.connections[0]!.socket.end();
      t.like((await sent.over).error, { reason: 'UpstreamConnectionFailure', status: 502, retry: 'yes' });
      t.is(raw.connections.length, 1);
      await until(() => dispatchers.stats().connections === 0);
    });
  }

  test('a connection that takes no streams any more is followed by another one', async (t) => {
    const { raw, upstream } = await http2To(t, transport, (stream, connection) => connection.write(head(stream, OK, true)));
    t.like(await send(upstream, cluster, raw.endpoint).over, { status: 200 });
    raw.connections[0]!.settings({ maxConcurrentStreams: 0 });
    await raw.connections[0]!.roundTrip();
    const next = await send(upstream, cluster, raw.endpoint).over;
    t.is(next.error, undefined);
    t.deepEqual(raw.streams().map(({ connection }) => connection.nth), [0, 1]);
  });
}

ava('the connect timeout covers the handshake and the SETTINGS together', async (t) => {
  const transport = HTTP2_TRANSPORTS.find(({ cluster }) => cluster.tls !== undefined) as Http2Transport;
  const { raw, upstream } = await http2To(t, transport, () => {}, { greets: false });
  const slow = net.createServer((socket) => {
    const onward = net.connect(raw.endpoint.port, raw.endpoint.address).on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
    onward.pipe(socket);
    setTimeout(() => socket.pipe(onward), 700);
  });
  t.teardown(() => void slow.close());
  await once(slow.listen(0, '127.0.0.1'), 'listening');
  const startedAt = performance.now();
  const got = await send(upstream, { ...transport.cluster, connectTimeoutMs: 1_000 }, endpointAt((slow.address() as net.AddressInfo).port)).over;
  const elapsed = performance.now() - startedAt;
  t.like(got.error, { reason: 'UpstreamConnectionTimeout', status: 504, retry: 'yes' });
  t.true(elapsed >= 998 && elapsed < 1_600, `${elapsed} ms`);
  t.is(raw.connections.length, 1, 'the handshake was complete');
});
