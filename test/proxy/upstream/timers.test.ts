// What timers cost: a request borrows the timer of its connection, and leaves nothing behind.
import test from 'ava';
import { endpoint, simpleTable, startDataPlane } from '../../support/data-plane.ts';
import { RawClient } from '../../support/raw-client.ts';
import { startRecordingEndpoint } from '../../support/recording-endpoint.ts';

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

test('requests that were answered leave no timer behind', async (t) => {
  const backend = await startRecordingEndpoint();
  const proxy = await startDataPlane(simpleTable([endpoint(backend.port)]));
  const client = await RawClient.connect(proxy.port);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(10));
  await client.responses(10);
  const before = timers();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(100));
  await client.responses(110);
  t.true(timers() <= before + 1, `${before} timers after 10 requests, ${timers()} after 110`);
  client.destroy();
  await proxy.close();
  await backend.close();
});

test('an answer that waits for its client is not taken for an endpoint that went silent', async (t) => {
  const size = 20_000_000;
  const backend = await startRecordingEndpoint((_request, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
    socket.write(Buffer.alloc(size, 120));
    return undefined;
  });
  const proxy = await startDataPlane(simpleTable([endpoint(backend.port)]), { timeouts: { readIdleMs: 200 } });
  const client = await RawClient.connect(proxy.port);
  client.write('GET /big HTTP/1.1\r\nHost: a\r\n\r\n');
  client.socket.pause();
  await new Promise((resolve) => setTimeout(resolve, 600));
  let seen = client.received.length;
  client.socket.removeAllListeners('data');
  client.socket.on('data', (chunk: Buffer) => (seen += chunk.length));
  client.socket.resume();
  await client.until(() => (seen > size || client.closed ? true : undefined), 10_000);
  t.true(seen > size, `${seen} bytes`);
  client.destroy();
  await proxy.close();
  await backend.close();
});
