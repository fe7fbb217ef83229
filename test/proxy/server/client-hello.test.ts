// Reading the server name of a ClientHello: what real clients send, however it is cut, and what nobody should.
import { randomBytes } from 'node:crypto';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import test from 'ava';
import fc from 'fast-check';
import { readClientHello } from '../../../proxy/server/client-hello.ts';
import { clientHello } from '../../support/hello.ts';

/** The first bytes that Node's own TLS client sends. */
async function realHello(servername: string): Promise<Buffer> {
  const accepted = Promise.withResolvers<Buffer>();
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (data: Buffer) => {
      accepted.resolve(data);
      socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = tlsConnect({ socket: connect((server.address() as AddressInfo).port, '127.0.0.1'), servername, rejectUnauthorized: false });
  client.on('error', () => undefined);
  const bytes = await accepted.promise;
  server.close();
  return bytes;
}

test('the name that a real client asks for is read as soon as the hello is whole, and not before', async (t) => {
  const hello = await realHello('shop.example.com');
  t.deepEqual(readClientHello(hello), { serverName: 'shop.example.com' });
  for (let length = 0; length < hello.length; length++) t.is(readClientHello(hello.subarray(0, length)), 'incomplete', `${length} bytes`);
  t.deepEqual(readClientHello(Buffer.concat([hello, randomBytes(100)])), { serverName: 'shop.example.com' });
});

test('a hello that is cut into records is put together', (t) => {
  for (const recordBytes of [8, 13, 50, 100]) {
    const hello = clientHello({ serverName: 'shop.example.com', recordBytes });
    t.deepEqual(readClientHello(hello), { serverName: 'shop.example.com' }, `${recordBytes}`);
    t.is(readClientHello(hello.subarray(0, -1)), 'incomplete');
  }
  t.is(readClientHello(clientHello({ serverName: 'shop.example.com', recordBytes: 3 })), 'other', 'but not of dust');
});

test('a hello without a name, and one with a damaged one, name nobody', (t) => {
  const none = { serverName: '' };
  t.deepEqual(readClientHello(clientHello()), none);
  t.deepEqual(readClientHello(clientHello({ serverName: '' })), none);
  for (const extension of [[], [0], [0, 0], [0, 1, 0], [0, 4, 0, 0, 9, 65], [0, 5, 1, 0, 2, 65, 66], [0, 200, 0, 0, 1, 65], [0, 8, 0, 0, 1, 65, 0, 0, 1, 66]]) {
    t.deepEqual(readClientHello(clientHello({ extension: Buffer.from(extension) })), none, extension.join());
  }
});

test('what is no TLS handshake is told from one by its first bytes', (t) => {
  for (const text of ['G', 'GET / HTTP/1.1\r\n\r\n', 'PROXY TCP4 ', '\x80\x2e\x01\x00\x02', '\x16\x02', '\x15\x03\x01\x00\x02', '\x16\x03\x01\x00\x00', '\x16\x03\x01\xff\xff', '\x16\x03\x01\x00\x05\x02']) {
    t.is(readClientHello(Buffer.from(text, 'latin1')), 'other', JSON.stringify(text));
  }
});

test('no bytes at all make it throw', (t) => {
  const whole = clientHello({ serverName: 'shop.example.com' });
  fc.assert(fc.property(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(whole.length), (at, value, length) => {
    const damaged = Buffer.from(whole.subarray(0, length));
    if (at < damaged.length) damaged[at] = value;
    readClientHello(damaged);
  }), { numRuns: 5_000 });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (rest) => {
    readClientHello(Buffer.concat([Buffer.from([22, 3, 1, 1, 44, 1, 0, 1, 40]), rest]));
  }), { numRuns: 5_000 });
  t.pass();
});
