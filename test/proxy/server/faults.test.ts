// Aborts and cuts in both directions: what was not completed by its sender never looks complete to its receiver.
import { once } from 'node:events';
import net from 'node:net';
import test from 'ava';
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import { RawClient, exchangeRaw, statusOf } from '../../support/raw-client.ts';
import { startRecordingEndpoint } from '../../support/recording-endpoint.ts';
import { field } from '../../support/strict-http1.ts';

/** An endpoint that runs a script on each connection. */
async function scripted(script: (socket: net.Socket, head: string) => void): Promise<{ port: number; close: () => Promise<void> }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = text.slice(0, end);
      text = text.slice(end + 4);
      script(socket, head);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function until(look: () => boolean, what: string, ms = 5000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!look()) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

for (const [shape, head, part] of [
  ['by length', 'Content-Length: 100', 'x'.repeat(50)],
  ['chunked', 'Transfer-Encoding: chunked', '32\r\n' + 'x'.repeat(50) + '\r\n'],
] as const) {
  for (const how of ['reset', 'end'] as const) {
    test(`an upload ${shape} that the client cuts off by ${how} reaches the endpoint as an abort`, async (t) => {
      const backend = await startRecordingEndpoint();
      const proxy = await startDataPlane(simpleTable([endpoint(backend.port)]));
      const client = await RawClient.connect(proxy.port);
      client.write(`POST /up HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n${part}`);
      await until(() => (backend.connections[0]?.bytes.toString('latin1').includes('xxx') ?? false), 'the endpoint sees the beginning');
      if (how === 'reset') client.socket.resetAndDestroy();
      else client.socket.destroy();
      await until(() => backend.connections[0]?.closed === true, 'the endpoint sees the end');
      t.is(backend.requests().length, 0);
      await until(() => proxy.log.length === 1, 'the log has it');
      t.is(proxy.log[0]?.status, 499);
      await proxy.close();
      await backend.close();
    });
  }
}

test('an upload cut off before its first byte reaches no endpoint as a message', async (t) => {
  const backend = await startRecordingEndpoint();
  const proxy = await startDataPlane(simpleTable([endpoint(backend.port)]));
  const client = await RawClient.connect(proxy.port);
  client.write('POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n');
  client.socket.destroy();
  await until(() => proxy.log.length === 1, 'the log has it');
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.is(backend.requests().length, 0);
  await proxy.close();
  await backend.close();
});

test('a client that leaves while it waits is an abort for the endpoint', async (t) => {
  let closed = false;
  const backend = await scripted((socket) => socket.on('close', () => (closed = true)));
  const proxy = await startDataPlane(simpleTable([endpoint(backend.port)]));
  const client = await RawClient.connect(proxy.port);
  client.write('GET /wait HTTP/1.1\r\nHost: a\r\n\r\n');
  await new Promise((resolve) => setTimeout(resolve, 100));
  client.socket.destroy();
  await until(() => closed, 'the endpoint is told');
  t.is(proxy.log[0]?.status, 499);
  await proxy.close();
  await backend.close();
});

for (const [shape, head] of [
  ['by length', 'content-length: 100'],
  ['chunked', 'transfer-encoding: chunked'],
] as const) {
  test(`an answer ${shape} that the endpoint cuts off is cut for the client too`, async (t) => {
    const backend = await scripted((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${shape === 'chunked' ? '5\r\nhello\r\n' : 'hello'}`);
      setTimeout(() => socket.destroy(), 20);
    });
    const proxy = await startDataPlane(simpleTable([endpoint(backend.port)]));
    const client = await RawClient.connect(proxy.port);
    client.write('GET /cut HTTP/1.1\r\nHost: a\r\n\r\n');
    const bytes = (await client.end()).toString('latin1');
    t.true(bytes.startsWith('HTTP/1.1 200'));
    t.false(bytes.endsWith('0\r\n\r\n'));
    t.is(proxy.log[0]?.reason, 'UpstreamConnectionTermination');
    await proxy.close();
    await backend.close();
  });
}

test('a refused endpoint is passed over, for every method', async (t) => {
  const backend = await startRecordingEndpoint();
  const dead = await startRecordingEndpoint();
  await dead.close();
  const proxy = await startDataPlane(simpleTable([endpoint(dead.port), endpoint(backend.port)]));
  for (let i = 0; i < 4; i++) {
    const { message, client } = await exchangeRaw(proxy.port, 'POST /r HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
    t.is(statusOf(message), 200);
    client.destroy();
  }
  t.true(proxy.log.some(({ exchange }) => exchange.attempts.length === 2 && exchange.attempts[0]?.error === 'UpstreamConnectionFailure'));
  await proxy.close();
  await backend.close();
});

test('no endpoint at all is 503, an unknown host 404, both with their reason in the body', async (t) => {
  const proxy = await startDataPlane(simpleTable([]));
  const none = await exchangeRaw(proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.is(statusOf(none.message), 503);
  t.true(none.message.body.toString().includes('NoHealthyUpstream'));
  none.client.destroy();
  await proxy.swap({ virtualHosts: {} });
  const unknown = await exchangeRaw(proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.is(statusOf(unknown.message), 404);
  t.true(unknown.message.body.toString().includes('NoRouteFound'));
  unknown.client.destroy();
  await proxy.close();
});

test('an early answer to a large upload is delivered, and the connection closed behind it', async (t) => {
  const backend = await scripted((socket) => socket.write('HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig'));
  const proxy = await startDataPlane(simpleTable([endpoint(backend.port)]));
  const client = await RawClient.connect(proxy.port);
  client.write('POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n');
  const sender = setInterval(() => client.socket.writable && client.write(Buffer.alloc(16_384)), 2);
  const [message] = await client.responses(1);
  clearInterval(sender);
  t.is(message && statusOf(message), 413);
  t.is(message && field(message, 'connection'), 'close');
  client.destroy();
  await proxy.close();
  await backend.close();
});

test('a slow client stops the endpoint, not the memory', async (t) => {
  let written = 0;
  const backend = await scripted((socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 200000000\r\n\r\n');
    const more = (): void => {
      while (!socket.destroyed && written < 200_000_000) {
        written += 65_536;
        if (!socket.write(Buffer.alloc(65_536))) return void socket.once('drain', more);
      }
    };
    more();
  });
  const proxy = await startDataPlane(simpleTable([endpoint(backend.port)]));
  const client = await RawClient.connect(proxy.port);
  client.socket.pause();
  client.write('GET /much HTTP/1.1\r\nHost: a\r\n\r\n');
  await new Promise((resolve) => setTimeout(resolve, 500));
  const atRest = written;
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.is(written, atRest);
  t.true(written < 40_000_000, `${written} bytes`);
  client.destroy();
  await proxy.close();
  await backend.close();
});

test('an unfinished head is told 408 in time, an idle connection is closed silently', async (t) => {
  const proxy = await startDataPlane(simpleTable([]), { limits: { headTimeoutMs: 500 } });
  const slow = await RawClient.connect(proxy.port);
  slow.write('GET / HTTP/1.1\r\n');
  const idle = await RawClient.connect(proxy.port);
  const [message] = await slow.responses(1);
  t.is(message && statusOf(message), 408);
  t.is((await idle.end()).length, 0);
  t.deepEqual(proxy.log.map(({ status, reason }) => [status, reason]), [[408, 'DownstreamRequestTimeout']], 'and the idle one has no line');
  await proxy.close();
});

test('draining finishes what is under way, closes idle connections and takes no new ones', async (t) => {
  let release: (() => void) | undefined;
  const backend = await scripted((socket) => {
    release = () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
  });
  const proxy = await startDataPlane(simpleTable([endpoint(backend.port)]));
  const idle = await RawClient.connect(proxy.port);
  const busy = await RawClient.connect(proxy.port);
  busy.write('GET /d HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => release !== undefined, 'the endpoint has it');
  const drained = proxy.server.drain(5000);
  await idle.end();
  release?.();
  const [message] = await busy.responses(1);
  t.is(message && statusOf(message), 200);
  t.is(message && field(message, 'connection'), 'close');
  await drained;
  await t.throwsAsync(RawClient.connect(proxy.port));
  await backend.close();
});
