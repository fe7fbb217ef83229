// Connections to HTTP/2 endpoints that take no new streams while the ones they have go on: what ends there is a place for
// whoever waits, at once and not when the whole connection is over.
import ava from 'ava';
import type { ExecutionContext } from 'ava';
import { ReplayBody } from '../../../proxy/upstream/replay-body.ts';
import { EndlessBody, ManualBody, readyBody } from '../../support/endpoint-body.ts';
import { send, until } from '../../support/endpoint-call.ts';
import { data, head } from '../../support/http2-raw-endpoint.ts';
import type { RawStream } from '../../support/http2-raw-endpoint.ts';
import { HTTP2_TRANSPORTS, http2To } from '../../support/http2-upstream.ts';
import type { Http2Transport } from '../../support/http2-upstream.ts';
import { FRAME, frame } from '../../support/raw-http2.ts';

for (const transport of HTTP2_TRANSPORTS) suite(transport);

function suite(transport: Http2Transport): void {
  const { cluster } = transport;
  const test = (title: string, run: (t: ExecutionContext) => Promise<void>): void => ava(`${transport.name}: ${title}`, run);
  const finish = (stream: RawStream): void => stream.connection.write(head(stream), data(stream, 'ok', true));

  /** Two requests on one connection, as many as may be, and one that waits. */
  async function busy(t: ExecutionContext) {
    const streams: RawStream[] = [];
    const { raw, upstream, dispatchers } = await http2To(t, transport, (stream) => streams.push(stream), {}, { maxConnections: 2, maxWaitMs: 4_000 });
    const first = send(upstream, cluster, raw.endpoint);
    // It has begun, so it cannot be sent again.
    const body = new ManualBody(undefined);
    const second = send(upstream, cluster, raw.endpoint, { method: 'POST', body });
    await until(() => streams.length === 2);
    body.push('x');
    await until(() => streams[1]!.bytes === 1);
    const waits = send(upstream, cluster, raw.endpoint);
    t.deepEqual(dispatchers.stats(), { pools: 1, connections: 1, active: 2, waiting: 1 });
    return { raw, streams, first, second, waits, left: raw.connections[0]!, stats: () => dispatchers.stats() };
  }

  test('after GOAWAY, a stream that ends makes room for one that waits, while the others of its connection go on', async (t) => {
    const { raw, streams, first, second, waits, left, stats } = await busy(t);
    left.goaway(3);
    await left.roundTrip();
    t.is(stats().waiting, 1, 'there are as many as may be');
    finish(streams[0]!);
    t.is((await first.over).error, undefined);
    await until(() => streams.length === 3);
    t.is(streams[2]!.connection.nth, 1);
    t.deepEqual([left.closed, second.events.length], [false, 0]);
    finish(streams[2]!);
    t.is((await waits.over).error, undefined);
    finish(streams[1]!);
    t.is((await second.over).error, undefined);
    await until(() => raw.open() === 1);
    t.is(stats().active, 0);
  });

  test('a stream that GOAWAY refuses makes room, although it cannot be sent again', async (t) => {
    const { streams, first, second, waits, left } = await busy(t);
    left.goaway(1);
    t.is((await second.over).error?.reason, 'UpstreamRemoteReset');
    await until(() => streams.length === 3);
    t.false(left.closed);
    finish(streams[2]!);
    t.is((await waits.over).error, undefined);
    finish(streams[0]!);
    t.is((await first.over).error, undefined);
  });

  test('streams that are lost with their connection make room before the endpoint has closed its side', async (t) => {
    const { streams, second, waits, left } = await busy(t);
    // DATA of a stream that was never opened; then it does not even hear that the connection is over.
    left.write(frame(FRAME.DATA, 0, 99, 'x'));
    left.socket.pause();
    t.is((await second.over).error?.reason, 'UpstreamProtocolError');
    const lostAt = performance.now();
    await until(() => streams.length === 3);
    t.true(performance.now() - lostAt < 800, `${performance.now() - lostAt} ms`);
    finish(streams[2]!);
    t.is((await waits.over).error, undefined);
  });

  test('what was given to a connection in the same breath in which it broke goes to the endpoint once', async (t) => {
    const streams: RawStream[] = [];
    const { raw, upstream } = await http2To(t, transport, (stream) => streams.push(stream), { maxConcurrentStreams: 1 }, { maxLines: 1 });
    const first = send(upstream, cluster, raw.endpoint);
    await until(() => streams.length === 1);
    const waits = send(upstream, cluster, raw.endpoint, { method: 'POST', body: new ReplayBody(readyBody('hello')) });
    // The end of the first one lets the second one go, and behind it is DATA of a stream that was never opened.
    raw.connections[0]!.write(head(streams[0]!), data(streams[0]!, 'ok', true), frame(FRAME.DATA, 0, 99, 'x'));
    t.is((await first.over).error, undefined);
    await until(() => raw.connections[0]!.closed && raw.connections[1]?.streams.size === 1);
    t.is(raw.connections[0]!.seen(FRAME.GOAWAY).length, 1);
    t.deepEqual(raw.connections.map((connection) => connection.streams.size), [1, 1]);
    const last = streams.at(-1)!;
    await until(() => last.ended);
    t.is(last.bytes, 5);
    finish(last);
    t.is((await waits.over).error, undefined);
  });

  test('an endpoint that closes its side and takes nothing more has ended the connection', async (t) => {
    const { raw, upstream, dispatchers } = await http2To(t, transport, () => {}, { initialWindowSize: 2 ** 31 - 1 });
    const sent = send(upstream, cluster, raw.endpoint, { method: 'POST', body: new EndlessBody(1024 * 1024 * 1024), timeouts: { sendIdleMs: 0 } });
    await until(() => raw.streams().length === 1);
    const { socket } = raw.connections[0]!;
    raw.connections[0]!.write(windowUpdate(0, 2 ** 30));
    socket.pause();
    let taken = -1;
    // All that fits between the two is on its way.
    while (taken !== socket.bytesRead) {
      taken = socket.bytesRead;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    socket.end();
    await until(() => sent.error !== undefined);
    t.like(sent.error, { reason: 'UpstreamConnectionTermination', status: 502 });
    await until(() => dispatchers.stats().connections === 0);
  });
}

function windowUpdate(stream: number, octets: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(octets);
  return frame(FRAME.WINDOW_UPDATE, 0, stream, payload);
}
