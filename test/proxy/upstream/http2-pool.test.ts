// Connections to HTTP/2 endpoints: how many there are, when they are left, and what becomes of requests that the endpoint has
// not looked at.
import ava from 'ava';
import type { ExecutionContext } from 'ava';
import type { Dispatchers } from '../../../proxy/upstream/dispatchers.ts';
import { ReplayBody } from '../../../proxy/upstream/replay-body.ts';
import type { BodySource } from '../../../proxy/http/exchange.ts';
import { goawayFrame } from '../../../proxy/http2/frames.ts';
import type { Cluster, Endpoint } from '../../../proxy/table/cluster.ts';
import { ManualBody, readyBody } from '../../support/endpoint-body.ts';
import { send, until } from '../../support/endpoint-call.ts';
import type { Recorded } from '../../support/endpoint-call.ts';
import { REFUSING, rawEndpoint, answer as httpAnswer, reset as cutConnection } from '../../support/endpoint-raw.ts';
import { testCa } from '../../support/endpoint-tls.ts';
import { OK, answers, data, head, rawHttp2Endpoint, reset } from '../../support/http2-raw-endpoint.ts';
import type { RawScript, RawStream } from '../../support/http2-raw-endpoint.ts';
import { HTTP2_TRANSPORTS, http2To } from '../../support/http2-upstream.ts';
import type { Http2Transport } from '../../support/http2-upstream.ts';
import { FRAME } from '../../support/raw-http2.ts';

const REFUSED_STREAM = 7;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

for (const transport of HTTP2_TRANSPORTS) suite(transport);

function suite(transport: Http2Transport): void {
  const { cluster } = transport;
  const test = (title: string, run: (t: ExecutionContext) => Promise<void>): void => ava(`${transport.name}: ${title}`, run);

  function table(endpoints: readonly Endpoint[], clusters: readonly Cluster[] = [cluster]): Parameters<Dispatchers['retain']>[0] {
    return { clusters: Object.fromEntries(clusters.map((one) => [one.name, one])), endpoints: { [cluster.name]: endpoints }, certificates: {} };
  }

  /** Answers when the test says so. */
  function held(): { script: RawScript; streams: RawStream[]; release(): void } {
    const streams: RawStream[] = [];
    return {
      script: (stream) => streams.push(stream),
      streams,
      release: () => {
        for (const stream of streams.splice(0)) stream.connection.write(head(stream), data(stream, 'ok', true));
      },
    };
  }

  test('a hundred requests at once share one connection, and the limit of the endpoint is kept', async (t) => {
    const one = await http2To(t, transport, answers('ok'));
    const all = await Promise.all(Array.from({ length: 100 }, () => send(one.upstream, cluster, one.raw.endpoint).over));
    t.true(all.every((got) => got.body.toString() === 'ok'));
    t.is(one.raw.connections.length, 1);

    const { script, streams, release } = held();
    const two = await http2To(t, transport, script, { maxConcurrentStreams: 2 });
    const calls = Array.from({ length: 5 }, () => send(two.upstream, cluster, two.raw.endpoint).over);
    await until(() => streams.length === 5);
    t.deepEqual(two.raw.connections.map((connection) => connection.streams.size), [2, 2, 1]);
    release();
    t.true((await Promise.all(calls)).every((got) => got.error === undefined));
    const again = send(two.upstream, cluster, two.raw.endpoint);
    await until(() => streams.length === 1);
    t.is(streams[0]?.connection.nth, 0, 'the first connections are filled first');
    release();
    t.is((await again.over).error, undefined);
  });

  test('the number of connections is bounded: what is over waits, and what is over that is refused', async (t) => {
    const { script, streams, release } = held();
    const { raw, upstream, dispatchers } = await http2To(t, transport, script, { maxConcurrentStreams: 1 }, { maxLines: 2, maxWaiting: 2 });
    const calls = [send(upstream, cluster, raw.endpoint), send(upstream, cluster, raw.endpoint)];
    await until(() => streams.length === 2);
    const waiting = [send(upstream, cluster, raw.endpoint), send(upstream, cluster, raw.endpoint)];
    const refused = await send(upstream, cluster, raw.endpoint).over;
    t.like(refused.error, { reason: 'UpstreamOverflow', status: 503, retry: 'yes' });
    t.deepEqual(dispatchers.stats(), { pools: 1, connections: 2, active: 2, waiting: 2 });
    waiting[1]?.call.abort();
    t.is(dispatchers.stats().waiting, 1);
    release();
    await until(() => streams.length === 1);
    release();
    for (const { over } of [...calls, waiting[0]!]) t.is((await over).error, undefined);
    t.is(raw.connections.length, 2);
  });

  test('a request does not wait for ever, and not more are under way than may be', async (t) => {
    const { script, streams, release } = held();
    const { raw, upstream } = await http2To(t, transport, script, {}, { maxConnections: 3, maxWaitMs: 50 });
    const calls = Array.from({ length: 3 }, () => send(upstream, cluster, raw.endpoint));
    await until(() => streams.length === 3);
    const late = await send(upstream, cluster, raw.endpoint).over;
    t.like(late.error, { reason: 'UpstreamOverflow', status: 503, retry: 'yes' });
    t.is(raw.connections.length, 1);
    release();
    for (const { over } of calls) t.is((await over).error, undefined);
  });

  test('an endpoint may change its limit at any time', async (t) => {
    const { script, streams, release } = held();
    const { raw, upstream } = await http2To(t, transport, script, { maxConcurrentStreams: 0 }, { maxLines: 1 });
    const calls = Array.from({ length: 3 }, () => send(upstream, cluster, raw.endpoint));
    await until(() => raw.connections.length === 1);
    const [connection] = raw.connections;
    await connection!.roundTrip();
    t.is(streams.length, 0);
    connection!.settings({ maxConcurrentStreams: 2 });
    await until(() => streams.length === 2);
    connection!.settings({ maxConcurrentStreams: 1 });
    const [first] = streams.splice(0, 1);
    connection!.write(head(first!), data(first!, 'ok', true));
    await connection!.roundTrip();
    t.is(streams.length, 1, 'one has ended, and the other one is as many as may be');
    release();
    await until(() => streams.length === 1);
    release();
    for (const { over } of calls) t.is((await over).error, undefined);
  });

  test('after GOAWAY new requests get a new connection, and open streams finish', async (t) => {
    const { script, streams, release } = held();
    const { raw, upstream } = await http2To(t, transport, script);
    const first = send(upstream, cluster, raw.endpoint);
    await until(() => streams.length === 1);
    raw.connections[0]?.goaway(1);
    await raw.connections[0]?.roundTrip();
    const second = send(upstream, cluster, raw.endpoint);
    await until(() => streams.length === 2);
    t.is(raw.connections.length, 2);
    release();
    t.is((await first.over).error, undefined);
    t.is((await second.over).error, undefined);
    await until(() => raw.connections[0]?.closed === true);
    t.false(raw.connections[1]?.closed);
  });

  test('a GOAWAY in two steps, as graceful servers have it, loses nothing', async (t) => {
    const { script, streams, release } = held();
    const { raw, upstream } = await http2To(t, transport, script);
    const calls = Array.from({ length: 4 }, () => send(upstream, cluster, raw.endpoint));
    await until(() => streams.length === 4);
    raw.connections[0]?.goaway(2 ** 31 - 1);
    await raw.connections[0]?.roundTrip();
    raw.connections[0]?.goaway(3);
    await until(() => raw.connections.length === 2 && raw.connections[1]?.streams.size === 2);
    release();
    for (const { over } of calls) t.is((await over).error, undefined);
  });

  test('a GOAWAY is heard although the connection is reset behind it, and the next request is already on its way', async (t) => {
    const { raw, upstream } = await http2To(t, transport, answers('ok'));
    for (let nth = 0; nth < 5; nth++) {
      t.is((await send(upstream, cluster, raw.endpoint).over).error, undefined);
      const { socket, streams } = raw.connections[nth]!;
      const got = await new Promise<Recorded>((resolve) => {
        socket.write(goawayFrame(streams.size * 2 - 1, 0), () => {
          cutConnection(socket);
          // Nothing of this has been read by the proxy when it writes.
          void send(upstream, cluster, raw.endpoint, { method: 'POST', body: new ReplayBody(readyBody('x'.repeat(50_000))) }).over.then(resolve);
        });
      });
      t.is(got.error, undefined);
      t.is(got.body.toString(), 'ok');
      t.is(raw.connections.length, nth + 2);
    }
  });

  test('of the requests on a connection that broke without a word, only what cannot have left is sent again', async (t) => {
    const streams: RawStream[] = [];
    const { raw, upstream } = await http2To(t, transport, (stream, connection) => {
      if (streams.push(stream) !== 2) connection.write(head(stream), data(stream, 'ok', true));
    });
    const post = (body: BodySource): Recorded => send(upstream, cluster, raw.endpoint, { method: 'POST', body: new ReplayBody(body) });
    t.is((await post(readyBody('x')).over).error, undefined);
    const body = new ManualBody(undefined);
    const first = post(body);
    await until(() => streams.length === 2);
    cutConnection(raw.connections[0]!.socket);
    body.push('more');
    const second = post(readyBody('x'));
    t.is((await first.over).error?.reason, 'UpstreamConnectionTermination');
    t.is((await second.over).error, undefined);
    t.is(streams.length, 3, 'and the first one is not sent twice');
  });

  test('what an endpoint refused is sent again with its body, seven times at most', async (t) => {
    let refusals = 3;
    const { raw, upstream } = await http2To(t, transport, (stream, connection) => {
      if (refusals-- > 0) connection.write(reset(stream, REFUSED_STREAM));
      else connection.write(head(stream), data(stream, 'ok', true));
    }, { on: 'complete' });
    const got = await send(upstream, cluster, raw.endpoint, { method: 'POST', body: new ReplayBody(readyBody('hello')) }).over;
    t.is(got.error, undefined);
    t.deepEqual(raw.streams().map(({ bytes, ended }) => [bytes, ended]), Array.from({ length: 4 }, () => [5, true]));

    refusals = 100;
    const never = await send(upstream, cluster, raw.endpoint).over;
    t.like(never.error, { reason: 'UpstreamRemoteReset', status: 502, retry: 'yes' });
    t.is(raw.streams().length, 4 + 8);
    t.is(raw.connections.length, 1);
  });

  test('a request whose connections end before it is looked at is moved to the next one, oftener than a refused stream is sent again', async (t) => {
    let endings = 12;
    const { raw, upstream } = await http2To(t, transport, (stream, connection) => {
      if (endings-- > 0) connection.goaway(0);
      else connection.write(head(stream), data(stream, 'ok', true));
    }, { on: 'complete' });
    const got = await send(upstream, cluster, raw.endpoint, { method: 'POST', body: new ReplayBody(readyBody('hello')) }).over;
    t.is(got.error, undefined);
    t.is(raw.connections.length, 13);

    endings = 100;
    const never = await send(upstream, cluster, raw.endpoint).over;
    t.like(never.error, { reason: 'UpstreamRemoteReset', status: 502, retry: 'yes' });
    t.is(raw.connections.length, 13 + 20);
  });

  test('a body that cannot be had again is not sent again', async (t) => {
    const { raw, upstream } = await http2To(t, transport, (stream, connection) => {
      const timer = setInterval(() => {
        if (stream.bytes < 5) return;
        clearInterval(timer);
        connection.write(reset(stream, REFUSED_STREAM));
      }, 1);
    });
    const plain = await send(upstream, cluster, raw.endpoint, { method: 'POST', body: readyBody('hello') }).over;
    t.like(plain.error, { reason: 'UpstreamRemoteReset', retry: 'yes' });
    t.is(raw.streams().length, 1);
    const large = new ReplayBody(readyBody('x'.repeat(100_000)));
    t.is((await send(upstream, cluster, raw.endpoint, { method: 'POST', body: large }).over).error?.retry, 'yes');
    t.is(raw.streams().length, 2);
    t.true(large.started);
  });

  test('a request that is given up while it waits to be sent again is never sent again', async (t) => {
    const { raw, upstream, dispatchers } = await http2To(t, transport, (stream, connection) => connection.write(reset(stream, REFUSED_STREAM)));
    const recorded = send(upstream, cluster, raw.endpoint);
    await until(() => raw.streams().length === 2);
    recorded.call.abort();
    await pause(40);
    t.true(raw.streams().length <= 3);
    t.deepEqual(recorded.events, []);
    t.deepEqual([dispatchers.stats().active, dispatchers.stats().waiting], [0, 0]);
  });

  test('a connection that was used before and breaks under a request says so', async (t) => {
    let requests = 0;
    const { raw, upstream } = await http2To(t, transport, (stream, connection) => {
      if (requests++ === 0) connection.write(head(stream, OK, true));
      else cutConnection(connection.socket);
    });
    t.is((await send(upstream, cluster, raw.endpoint).over).error, undefined);
    t.like((await send(upstream, cluster, raw.endpoint).over).error, { reason: 'UpstreamConnectionTermination', retry: 'if-reused' });
    t.like((await send(upstream, cluster, raw.endpoint).over).error, { reason: 'UpstreamConnectionTermination', retry: 'no' });
  });

  test('idle connections are closed with GOAWAY', async (t) => {
    const { raw, upstream, dispatchers } = await http2To(t, transport, answers('ok'), {}, { pingAfterMs: 10, lineIdleMs: 30 });
    await send(upstream, cluster, raw.endpoint).over;
    await until(() => raw.open() === 0);
    t.is(raw.connections[0]?.seen(FRAME.GOAWAY).length, 1);
    await until(() => dispatchers.stats().connections === 0);
    t.is((await send(upstream, cluster, raw.endpoint).over).body.toString(), 'ok');
    t.is(raw.connections.length, 2);
  });

  test('a silent connection in use is asked with PING, and an answer keeps it', async (t) => {
    const { script, streams, release } = held();
    const { raw, upstream } = await http2To(t, transport, script, {}, { pingAfterMs: 10, pingTimeoutMs: 5_000 });
    const recorded = send(upstream, cluster, raw.endpoint);
    await until(() => streams.length === 1 && (raw.connections[0]?.seen(FRAME.PING).length ?? 0) >= 2);
    release();
    t.is((await recorded.over).error, undefined);
    t.is(raw.connections.length, 1);
  });

  test('a connection that does not answer PING is given up with its streams', async (t) => {
    const { raw, upstream, dispatchers } = await http2To(t, transport, (stream, connection) => {
      if (connection.nth > 0) connection.write(head(stream, OK, true));
    }, { answersPings: false }, { pingAfterMs: 10, pingTimeoutMs: 20 });
    const got = await send(upstream, cluster, raw.endpoint).over;
    t.like(got.error, { reason: 'UpstreamConnectionTermination', status: 502, retry: 'no' });
    t.is((await send(upstream, cluster, raw.endpoint).over).error, undefined);
    t.is(raw.connections.length, 2);
    await until(() => dispatchers.stats().active === 0);
  });

  test('endpoints that are not there, are silent or speak something else', async (t) => {
    const tcp = await rawEndpoint(httpAnswer('hello'), transport.endpoint);
    const silent = await rawHttp2Endpoint(() => {}, { ...transport.endpoint, greets: false });
    const closing = await rawHttp2Endpoint(() => {}, { ...transport.endpoint, greets: false });
    const { upstream, dispatchers } = await http2To(t, transport, () => {});
    t.teardown(() => Promise.all([tcp.close(), silent.close(), closing.close()]));
    const quick = { ...cluster, name: 'shop/quick:80', connectTimeoutMs: 400 };
    t.like((await send(upstream, cluster, REFUSING).over).error, { reason: 'UpstreamConnectionFailure', status: 502, retry: 'yes' });
    t.like((await send(upstream, quick, silent.endpoint).over).error, { reason: 'UpstreamConnectionTimeout', status: 504, retry: 'yes' });
    const body = new ManualBody(5);
    const wrong = await send(upstream, cluster, tcp.endpoint, { method: 'POST', body }).over;
    t.like(wrong.error, { status: 502, retry: 'yes' });
    t.false(body.started, 'nothing is read for who does not speak HTTP/2');
    const late = send(upstream, cluster, closing.endpoint);
    await until(() => closing.connections.length === 1);
    closing.connections[0]?.socket.end();
    t.like((await late.over).error, { reason: 'UpstreamConnectionFailure', retry: 'yes' });
    await until(() => dispatchers.stats().connections === 0);
  });

  test('an endpoint that left the table finishes what it has, and is asked nothing more', async (t) => {
    const { script, streams, release } = held();
    const { raw, upstream, dispatchers } = await http2To(t, transport, script);
    const recorded = send(upstream, cluster, raw.endpoint);
    await until(() => streams.length === 1);
    dispatchers.retain(table([]));
    await until(() => raw.connections[0]?.seen(FRAME.GOAWAY).length === 1);
    t.deepEqual(dispatchers.stats(), { pools: 1, connections: 1, active: 1, waiting: 0 });
    release();
    t.is((await recorded.over).error, undefined);
    await until(() => raw.open() === 0);
    await until(() => dispatchers.stats().pools === 0);
  });

  test('an endpoint that leaves the table does not get again what it refused', async (t) => {
    const { script, streams } = held();
    const { raw, upstream, dispatchers } = await http2To(t, transport, script);
    const recorded = send(upstream, cluster, raw.endpoint);
    await until(() => streams.length === 1);
    dispatchers.retain(table([]));
    raw.connections[0]?.goaway(0);
    t.like((await recorded.over).error, { reason: 'UpstreamRemoteReset', retry: 'yes' });
    t.is(raw.connections.length, 1);
  });

  test('a cluster that stays keeps its connections, one that is connected to in another way does not', async (t) => {
    const { raw, upstream, dispatchers } = await http2To(t, transport, answers('ok'));
    await send(upstream, cluster, raw.endpoint).over;
    const same = { ...cluster };
    dispatchers.retain(table([raw.endpoint], [same]));
    await send(upstream, same, raw.endpoint).over;
    t.is(raw.connections.length, 1);
    const other: Cluster = { ...cluster, connectTimeoutMs: 1_234 };
    dispatchers.retain(table([raw.endpoint], [other]));
    await until(() => raw.open() === 0);
    await send(upstream, other, raw.endpoint).over;
    t.is(raw.connections.length, 2);
  });

  test('a cluster may change its protocol', async (t) => {
    const { raw, upstream, dispatchers } = await http2To(t, transport, answers('ok'));
    const plain = await rawEndpoint(httpAnswer('one'), { tls: transport.endpoint.tls });
    t.teardown(() => plain.close());
    t.is((await send(upstream, cluster, raw.endpoint).over).body.toString(), 'ok');
    const http1: Cluster = { ...cluster, protocol: 'HTTP/1.1' };
    dispatchers.retain(table([plain.endpoint], [http1]));
    t.is((await send(upstream, http1, plain.endpoint).over).body.toString(), 'one');
    await until(() => raw.open() === 0);
  });
}

const ca = testCa();

ava('TLS: the name is checked, a client certificate is shown, and HTTP/2 is the only offer', async (t) => {
  const server = ca.issue(['web.shop.svc']);
  const client = ca.issue(['proxy']);
  const seen: { alpn: string | false | null; sni: string | false; client: string | undefined }[] = [];
  const transport: Http2Transport = { name: 'h2', cluster: HTTP2_TRANSPORTS[1]!.cluster, endpoint: { tls: { ...server, ca: ca.certPem, requestCert: true, rejectUnauthorized: true } } };
  const { raw, upstream, dispatchers } = await http2To(t, transport, (stream, connection) => {
    const socket = connection.socket as import('node:tls').TLSSocket & { servername: string | false };
    seen.push({ alpn: socket.alpnProtocol, sni: socket.servername, client: socket.getPeerCertificate().subject?.CN?.toString() });
    connection.write(head(stream, OK, true));
  });
  dispatchers.connector.certificates = { proxy: { name: 'proxy', hostnames: [], notAfter: 0, chainPem: client.cert, keyPem: client.key } };
  const tls = { serverName: 'web.shop.svc', verify: true, caPem: ca.certPem, clientCertificate: 'proxy' };
  const good = { ...transport.cluster, tls };
  t.is((await send(upstream, good, raw.endpoint).over).error, undefined);
  t.deepEqual(seen, [{ alpn: 'h2', sni: 'web.shop.svc', client: 'proxy' }]);
  const wrongName = await send(upstream, { ...good, name: 'a/b:1', tls: { ...tls, serverName: 'other.svc' } }, raw.endpoint).over;
  t.like(wrongName.error, { reason: 'UpstreamConnectionFailure', retry: 'yes' });
  const unknown = await send(upstream, { ...good, name: 'a/c:1', tls: { ...tls, caPem: testCa('another CA').certPem } }, raw.endpoint).over;
  t.like(unknown.error, { reason: 'UpstreamConnectionFailure', retry: 'yes' });
});

ava('TLS: an endpoint that agrees on nothing by ALPN is not spoken to', async (t) => {
  const plain = await rawEndpoint(httpAnswer('hello'), { tls: ca.issue(['web.shop.svc']) });
  t.teardown(() => plain.close());
  const { upstream } = await http2To(t, HTTP2_TRANSPORTS[1]!, () => {});
  const got = await send(upstream, { ...HTTP2_TRANSPORTS[1]!.cluster, tls: { verify: false } }, plain.endpoint).over;
  t.like(got.error, { reason: 'UpstreamProtocolError', status: 502, retry: 'yes' });
  t.is(plain.requests.length, 0);
  t.deepEqual(plain.errors, []);
});
