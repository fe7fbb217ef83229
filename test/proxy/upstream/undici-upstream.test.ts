// The HTTP/1.1 client against raw endpoints: what goes out, what comes back, and how each way of failing is told.
import ava from 'ava';
import type { ExecutionContext } from 'ava';
import { EndlessBody, ManualBody, readyBody } from '../../support/endpoint-body.ts';
import { send, until } from '../../support/endpoint-call.ts';
import { REFUSING, answer, bytes, endAfter, reset, resetAfter, silent, staleAfterFirst } from '../../support/endpoint-raw.ts';
import type { Script } from '../../support/endpoint-raw.ts';
import { TRANSPORTS } from '../../support/endpoint-transport.ts';
import type { Transport } from '../../support/endpoint-transport.ts';
import { upstreamTo } from '../../support/endpoint-upstream.ts';

/** A connection is given back one turn of the event loop after the answer's end. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

for (const transport of TRANSPORTS) suite(transport);

function suite(transport: Transport): void {
  const { cluster } = transport;
  const test = (title: string, run: (t: ExecutionContext) => Promise<void>): void => ava(`${transport.name}: ${title}`, run);

  const OK = 'HTTP/1.1 200 OK\r\n';

  test('a request without body arrives as given, with Host first and no framing fields', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, answer('hello', ['X-Seen: 1', 'x-seen: 2', 'Set-Cookie: a=\xe9']));
    const got = await send(upstream, cluster, raw.endpoint, { target: '/a%2Fb//c?x=1', headers: ['X-B', '1', 'x-a', '2', 'X-B', '3'] }).over;
    t.is(got.body.toString(), 'hello');
    t.deepEqual(got.headers.slice(0, 4), ['X-Seen', '1', 'x-seen', '2']);
    t.deepEqual(got.events, ['head', 'data', 'end']);
    t.like(raw.requests[0], { method: 'GET', target: '/a%2Fb//c?x=1', complete: true });
    t.deepEqual(
      raw.requests[0]?.headers.filter(([name]) => name !== 'connection'),
      [['host', 'shop.example.com'], ['X-B', '1'], ['x-a', '2'], ['X-B', '3']],
    );
  });

  test('trailers that will not follow are not announced', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, answer('ok'), { on: 'complete' });
    const body = readyBody('hi');
    await send(upstream, cluster, raw.endpoint, { method: 'POST', body, headers: ['TRAILER', 'X-Sum', 'X-A', '1', 'Trailers', 'x'] }).over;
    t.deepEqual(raw.requests[0]?.headers.map(([name]) => name).filter((name) => /^(trailer|x-)/i.test(name)), ['X-A', 'Trailers']);
  });

  test('a 100 that nobody asked for is no answer to a request with a body, and not the end of its connection', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, bytes('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'), { on: 'complete' });
    const whole = Buffer.from('body');
    for (const body of [Object.assign(readyBody('body'), { whole }), readyBody('body')]) {
      const got = await send(upstream, cluster, raw.endpoint, { method: 'POST', body }).over;
      t.deepEqual([got.error, got.status, got.body.toString()], [undefined, 200, 'hi']);
      await nextTurn();
    }
    t.is(raw.connections, 1);
  });

  test('connections are reused', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, answer('hello'));
    for (const method of ['GET', 'GET', 'POST', 'DELETE', 'OPTIONS']) {
      const got = await send(upstream, cluster, raw.endpoint, { method }).over;
      t.is(got.body.toString(), 'hello', method);
      t.is(got.error, undefined);
      await nextTurn();
    }
    t.is(raw.connections, 1);
  });

  test('a connection is not used again behind HEAD, lest a body that comes all the same is the next answer', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, answer('hello'));
    for (const method of ['HEAD', 'GET']) {
      const got = await send(upstream, cluster, raw.endpoint, { method }).over;
      t.is(got.body.toString(), method === 'HEAD' ? '' : 'hello', method);
      await nextTurn();
    }
    t.is(raw.connections, 2);
  });

  test('a body of declared length is sent with that length, one of unknown length chunked', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, answer('ok'), { on: 'complete' });
    const declared = new ManualBody(6, (body) => {
      setImmediate(() => {
        body.push('abc');
        setTimeout(() => {
          body.push('def');
          body.end();
        }, 5);
      });
    });
    await send(upstream, cluster, raw.endpoint, { method: 'POST', body: declared, headers: ['content-length', '6'] }).over;
    await nextTurn();
    const unknown = new ManualBody(undefined, (body) => {
      setImmediate(() => {
        body.push('abc');
        setTimeout(() => body.end(), 5);
      });
    });
    await send(upstream, cluster, raw.endpoint, { method: 'PUT', body: unknown }).over;
    await nextTurn();
    await send(upstream, cluster, raw.endpoint, { method: 'POST', body: readyBody('at once') }).over;
    t.deepEqual(raw.requests.map((request) => request.body.toString()), ['abcdef', 'abc', 'at once']);
    t.deepEqual(raw.requests.map((request) => [request.values('content-length'), request.values('transfer-encoding')]), [[['6'], []], [[], ['chunked']], [['7'], []]]);
    t.is(raw.connections, 1);
  });

  test('interim responses and trailers are passed on', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, bytes(`HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n${OK}transfer-encoding: chunked\r\ntrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n`));
    const got = await send(upstream, cluster, raw.endpoint).over;
    t.deepEqual(got.information, [{ status: 102, headers: [] }, { status: 103, headers: ['Link', '</a.css>'] }]);
    t.deepEqual(got.trailers, ['X-Sum', '7']);
    t.deepEqual(got.events, ['information', 'information', 'head', 'data', 'end']);
  });

  test('an endpoint that never stops sending interim responses is broken', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, bytes('HTTP/1.1 102 Processing\r\n\r\n'.repeat(1_000)));
    const got = await send(upstream, cluster, raw.endpoint).over;
    t.like(got.error, { reason: 'UpstreamProtocolError', status: 502, retry: 'no' });
    t.is(got.information.length, 100);
    await raw.idle();
  });

  test('an answer that comes before the upload has ended is delivered, and the upload is stopped', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, bytes('HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig'));
    const body = new ManualBody(1_000_000, (self) => setImmediate(() => self.push('x'.repeat(1_000))));
    const got = await send(upstream, cluster, raw.endpoint, { method: 'POST', body }).over;
    t.is(got.status, 413);
    t.is(got.body.toString(), 'big');
    t.is(got.error, undefined);
    await raw.idle();
    t.false(raw.requests[0]?.complete);
    t.true(body.paused);
    const next = await send(upstream, cluster, raw.endpoint).over;
    t.is(next.status, 413, 'the next request gets a connection of its own');
    t.is(raw.connections, 2);
  });

  test('an early answer is heard although the connection is reset behind it while the upload goes on', async (t) => {
    const body = new ManualBody(undefined, (self) => setImmediate(() => self.push('first')));
    const { raw, upstream } = await upstreamTo(t, transport, (_request, socket) => {
      socket.write('HTTP/1.1 413 Too much\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno', () => {
        reset(socket);
        // None of the answer has been read by the proxy when it writes.
        body.push('more');
      });
    });
    const got = await send(upstream, cluster, raw.endpoint, { method: 'POST', body }).over;
    t.is(got.error, undefined);
    t.is(got.status, 413);
    t.is(got.body.toString(), 'no');
  });

  test('an early answer may stream while the upload goes on', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, (_request, socket) => {
      socket.write(`${OK}transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n`);
      socket.on('data', (data: Buffer) => {
        if (data.includes('last')) socket.write('0\r\n\r\n');
      });
    });
    const body = new ManualBody(undefined, (self) => setImmediate(() => self.push('first')));
    const recorded = send(upstream, cluster, raw.endpoint, { method: 'POST', body });
    await recorded.head;
    await until(() => recorded.body.length === 2);
    body.push('last');
    body.end();
    const got = await recorded.over;
    t.is(got.error, undefined);
    await until(() => raw.requests[0]?.complete === true || raw.open.size === 0);
  });

  test('an endpoint that does not read stops the upload; one that reads gets all of it', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, answer('ok'), { on: 'complete', onConnection: (socket) => setTimeout(() => socket.pause(), 0) });
    const body = new EndlessBody(64 * 1024 * 1024, 64 * 1024 * 1024);
    const recorded = send(upstream, cluster, raw.endpoint, { method: 'POST', body });
    let before = -1;
    while (body.bytes !== before || body.bytes === 0) {
      before = body.bytes;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    t.true(body.bytes < 16 * 1024 * 1024, `${body.bytes} bytes were taken from the client`);
    recorded.call.abort();
    await until(() => raw.open.size === 0 || ([...raw.open].forEach((socket) => socket.resume()), false));
    t.false(raw.requests[0]?.complete);

    const whole = new EndlessBody(3_000_000);
    const second = await upstreamTo(t, transport, answer('ok'), { on: 'complete' });
    t.is((await send(second.upstream, cluster, second.raw.endpoint, { method: 'POST', body: whole }).over).status, 200);
    t.is(second.raw.requests[0]?.body.length, 3_000_000);
  });

  test('a paused response stops the endpoint and loses nothing', async (t) => {
    const total = 32 * 1024 * 1024;
    let written = 0;
    const { raw, upstream } = await upstreamTo(t, transport, (_request, socket) => {
      socket.write(`${OK}content-length: ${total}\r\n\r\n`);
      const chunk = Buffer.alloc(64 * 1024, 'y');
      const more = (): void => {
        while (written < total) {
          written += chunk.length;
          if (!socket.write(chunk)) return;
        }
      };
      socket.on('drain', more);
      more();
    });
    let received = 0;
    const recorded = send(upstream, cluster, raw.endpoint, {
      onData(chunk, self) {
        received += chunk.length;
        if (received === chunk.length) self.call.pause();
      },
    });
    await recorded.head;
    await new Promise((resolve) => setTimeout(resolve, 100));
    t.true(received <= 256 * 1024, `${received} bytes came while paused`);
    t.true(written < 16 * 1024 * 1024, `${written} bytes were written`);
    recorded.call.resume();
    await recorded.over;
    t.is(recorded.error, undefined);
    t.is(received, total);
  });

  test('pausing and resuming inside onData, before the head and many times does no harm', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, answer('z'.repeat(500_000)));
    let received = 0;
    const recorded = send(upstream, cluster, raw.endpoint, {
      onData(chunk, self) {
        received += chunk.length;
        self.call.pause();
        self.call.resume();
        self.call.pause();
        setImmediate(() => self.call.resume());
      },
    });
    recorded.call.pause();
    recorded.call.pause();
    setTimeout(() => recorded.call.resume(), 20);
    await recorded.over;
    t.is(received, 500_000);
  });

  const FAULTS: readonly { title: string; script: Script; reason: string; status: number; retry: string; events?: string[] }[] = [
    { title: 'a reset before the head', script: resetAfter(''), reason: 'UpstreamConnectionTermination', status: 502, retry: 'no' },
    { title: 'a FIN before the head', script: endAfter(''), reason: 'UpstreamConnectionTermination', status: 502, retry: 'no' },
    { title: 'a FIN inside the head', script: endAfter(`${OK}X-A: 1\r\n`), reason: 'UpstreamConnectionTermination', status: 502, retry: 'no' },
    { title: 'a FIN inside a body of known length', script: endAfter(`${OK}content-length: 10\r\n\r\nabc`), reason: 'UpstreamConnectionTermination', status: 502, retry: 'no', events: ['head', 'data', 'error'] },
    { title: 'a FIN inside a body of known length of a connection that closes anyway', script: endAfter(`${OK}connection: close\r\ncontent-length: 10\r\n\r\nabc`), reason: 'UpstreamConnectionTermination', status: 502, retry: 'no', events: ['head', 'data', 'error'] },
    { title: 'a FIN inside a chunked body', script: endAfter(`${OK}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n`), reason: 'UpstreamConnectionTermination', status: 502, retry: 'no', events: ['head', 'data', 'error'] },
    { title: 'a FIN inside a chunked body of a connection that closes anyway', script: endAfter(`${OK}connection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n`), reason: 'UpstreamConnectionTermination', status: 502, retry: 'no', events: ['head', 'data', 'error'] },
    { title: 'a reset inside a body of known length', script: resetAfter(`${OK}content-length: 10\r\n\r\nabc`), reason: 'UpstreamConnectionTermination', status: 502, retry: 'no', events: ['head', 'data', 'error'] },
    { title: 'a reset inside a chunked body', script: resetAfter(`${OK}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n`), reason: 'UpstreamConnectionTermination', status: 502, retry: 'no', events: ['head', 'data', 'error'] },
    { title: 'a reset inside a body that ends with the connection', script: resetAfter(`${OK}\r\nabc`), reason: 'UpstreamConnectionTermination', status: 502, retry: 'no', events: ['head', 'data', 'error'] },
    { title: 'garbage', script: bytes('SSH-2.0-OpenSSH_9.2p1\r\n'), reason: 'UpstreamProtocolError', status: 502, retry: 'no' },
    { title: 'both framings at once', script: bytes(`${OK}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`), reason: 'UpstreamProtocolError', status: 502, retry: 'no' },
    { title: 'two lengths', script: bytes(`${OK}content-length: 3\r\ncontent-length: 4\r\n\r\nabcd`), reason: 'UpstreamProtocolError', status: 502, retry: 'no' },
    { title: 'NUL in a field', script: bytes(`${OK}X-A: a\0b\r\ncontent-length: 0\r\n\r\n`), reason: 'UpstreamProtocolError', status: 502, retry: 'no' },
    { title: 'a head that is too large', script: bytes(`${OK}X-A: ${'a'.repeat(40_000)}\r\ncontent-length: 0\r\n\r\n`), reason: 'UpstreamProtocolError', status: 502, retry: 'no' },
    { title: 'an unasked change of protocol', script: bytes('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'), reason: 'UpstreamProtocolError', status: 502, retry: 'no' },
  ];

  for (const { title, script, reason, status, retry, events } of FAULTS) {
    test(`${title} is an error`, async (t) => {
      const { raw, upstream, dispatchers } = await upstreamTo(t, transport, script);
      const got = await send(upstream, cluster, raw.endpoint).over;
      t.like(got.error, { reason, side: 'upstream', status, retry });
      t.deepEqual(got.events, events ?? ['error']);
      await raw.idle();
      t.is(dispatchers.stats().active, 0);
    });
  }

  test('a body that ends with the connection ends cleanly with a FIN', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, endAfter(`${OK}\r\nall of it`));
    const got = await send(upstream, cluster, raw.endpoint).over;
    t.is(got.error, undefined);
    t.is(got.body.toString(), 'all of it');
  });

  for (const end of ['fin', 'reset'] as const) {
    test(`a stale connection (${end}) is told from one that was cut`, async (t) => {
      const { raw, upstream } = await upstreamTo(t, transport, staleAfterFirst(answer('ok'), end));
      t.is((await send(upstream, cluster, raw.endpoint).over).status, 200);
      await nextTurn();
      const second = await send(upstream, cluster, raw.endpoint).over;
      t.like(second.error, { reason: 'UpstreamConnectionTermination', retry: 'if-reused', status: 502 });
      t.is((await send(upstream, cluster, raw.endpoint).over).status, 200, 'the next one gets a new connection');
    });
  }

  test('a connection on which bytes come that nobody asked for is closed, and they answer no request', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, (request, socket, connection, nth) => {
      answer(`for ${request.target}`)(request, socket, connection, nth);
      setTimeout(() => socket.write(`${OK}content-length: 4\r\n\r\nevil`), 5);
    });
    for (let nth = 0; nth < 5; nth++) {
      const got = await send(upstream, cluster, raw.endpoint, { target: `/${nth}` }).over;
      t.is(got.body.toString(), `for /${nth}`);
      await raw.idle();
    }
    t.is(raw.connections, 5);
  });

  test('a refused connection may be tried elsewhere, and leaves the body unread', async (t) => {
    const { upstream } = await upstreamTo(t, transport, silent);
    const body = readyBody('payload');
    const got = await send(upstream, cluster, REFUSING, { method: 'POST', body }).over;
    t.like(got.error, { reason: 'UpstreamConnectionFailure', retry: 'yes', status: 502, side: 'upstream' });
    t.false(body.started);
  });

  test('an endpoint that speaks another protocol than HTTP/1.1 is refused by this client', async (t) => {
    const { raw, upstream } = await upstreamTo(t, transport, silent);
    const got = await send(upstream, { ...cluster, protocol: 'HTTP/2' as const }, raw.endpoint).over;
    t.is(got.error?.reason, 'UpstreamProtocolError');
    t.is(raw.connections, 0);
  });
}
