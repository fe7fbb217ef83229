// Connections whose clients have stopped, wherever that was: each of them ends in time, by itself, and gives back its place at the
// endpoint. A deadline that somebody clears or takes for another one shows here, whoever it was.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import tls from 'node:tls';
import test from 'ava';
import { selfSigned } from '../../certs/self-signed.ts';
import { HTTP_LISTENER, endpoint, route, simpleTable, startDataPlane, virtualHost } from '../support/data-plane.ts';
import type { DataPlane } from '../support/data-plane.ts';
import { RawClient } from '../support/raw-client.ts';
import { FRAME, frame } from '../support/raw-http2.ts';
import { Random } from './fuzz/random.ts';
import { answerTo, http1Step, http2Step, initialWindow } from './support/forsaking.ts';
import type { Opened } from './support/forsaking.ts';

const SEED = 20_261_128;
const CLIENTS = 200;
/** All deadlines of a client, and of an endpoint. */
const MS = 600;
const PLACES = 64;
/** The proxy's deadlines are precise to a second, and several follow one another. */
const PATIENCE_MS = 30_000;
const own = selfSigned({ hostnames: ['a.test'] });
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** What an endpoint sees of a request that is known by its path alone. */
const REQUEST = /(?:GET|POST) (\/[a-z-]*) HTTP\/1\.1\r\n(?:[^\r]+\r\n)*\r\n/;

async function endpoints(): Promise<{ readonly port: number; readonly asked: string[]; close(): void }> {
  const asked: string[] = [];
  const open = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    let seen = '';
    open.add(socket);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    socket.on('data', (bytes: Buffer) => {
      seen = (seen + bytes.toString('latin1')).slice(-200_000);
      for (let found = REQUEST.exec(seen); found !== null; found = REQUEST.exec(seen)) {
        seen = seen.slice(found.index + found[0].length);
        asked.push(found[1] as string);
        answerTo(found[1] as string, socket);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    asked,
    close: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** Does a few things, and then nothing. */
async function forsake(proxy: DataPlane, random: Random, secure: boolean, version: '1.1' | '2'): Promise<net.Socket> {
  const to = { port: secure ? proxy.httpsPort : proxy.port, host: '127.0.0.1', allowHalfOpen: true } as net.NetConnectOpts;
  const socket = secure ? tls.connect({ ...to, rejectUnauthorized: false, ALPNProtocols: [version === '2' ? 'h2' : 'http/1.1'], maxVersion: random.pick(['TLSv1.2', 'TLSv1.3']) }) : net.connect(to);
  socket.on('error', () => undefined).on('data', () => undefined);
  await once(socket, secure ? 'secureConnect' : 'connect');
  const opened: Opened = { count: 0, uploads: [] };
  if (version === '2') socket.write(Buffer.concat([PREFACE, random.pick([frame(FRAME.SETTINGS, 0, 0), initialWindow(0), initialWindow(100)])]));
  for (let left = 1 + random.below(12); left > 0; left--) {
    const step = version === '2' ? http2Step(random, opened) : http1Step(random);
    if (step === 'pause') socket.pause();
    else if (step === 'resume') socket.resume();
    else if (step === 'end') socket.end();
    else if (socket.writable) socket.write(step);
    await pause(random.pick([0, 0, 20, 200]));
  }
  return socket;
}

for (const secure of [false, true]) {
  for (const requestBuffering of [false, true]) {
    test(`every connection ends, and every place is free again (${secure ? 'TLS' : 'clear text'}, uploads ${requestBuffering ? 'held' : 'streaming'})`, async (t) => {
      const backend = await endpoints();
      const proxy = await startDataPlane({
        ...simpleTable([endpoint(backend.port)]),
        listeners: { 'listener/http': HTTP_LISTENER, 'listener/https': { ...HTTP_LISTENER, name: 'https', protocol: 'HTTPS', tls: { defaultCertificate: own.name, minVersion: 'TLSv1.2' } } },
        virtualHosts: { 'http+https/*': virtualHost('*', [route('/', 'test/web:80')], { listeners: ['http', 'https'] }) },
        certificates: { [own.name]: own },
      }, {
        limits: { bodyBytes: 200_000, headTimeoutMs: MS, bodyTimeoutMs: MS, keepAliveTimeoutMs: MS, writeStallMs: MS, keepAliveRequests: 5, maxConcurrentStreams: 20 },
        timeouts: { responseHeadMs: MS, readIdleMs: MS, sendIdleMs: MS },
        forwarding: { requestBuffering, endpointRequests: PLACES, waitingRequests: CLIENTS },
      });
      const accepted = new Map<number | undefined, net.Socket>();
      const note = (message: unknown): void => {
        const { socket } = message as { readonly socket: net.Socket };
        if (socket.localPort === proxy.port || socket.localPort === proxy.httpsPort) accepted.set(socket.remotePort, socket);
      };
      subscribe('net.server.socket', note);
      const clients: net.Socket[] = [];
      t.teardown(async () => {
        unsubscribe('net.server.socket', note);
        for (const client of clients) client.destroy();
        await proxy.close();
        backend.close();
      });

      const numbers = Array.from({ length: CLIENTS }, (_, nth) => nth);
      const ports = new Map<number | undefined, number>();
      await Promise.all(numbers.map(async (nth) => {
        const client = await forsake(proxy, new Random(SEED, nth), secure, nth % 2 === 0 ? '1.1' : '2');
        clients.push(client);
        ports.set(client.localPort, nth);
      }));
      const open = (): (number | undefined)[] => [...accepted].filter(([, socket]) => !socket.destroyed).map(([port]) => ports.get(port));
      for (const end = performance.now() + PATIENCE_MS; open().length > 0 && performance.now() < end; await pause(50));
      t.deepEqual(open(), [], 'numbers of the clients whose connections are open');
      t.true(proxy.log.length > CLIENTS, 'they have asked for something');

      for (let nth = 0; nth < PLACES; nth++) {
        const client = await RawClient.connect(proxy.port);
        clients.push(client.socket);
        client.write('GET /last HTTP/1.1\r\nHost: a\r\n\r\n');
      }
      const last = (): number => backend.asked.filter((path) => path === '/last').length;
      for (const end = performance.now() + 5_000; last() < PLACES && performance.now() < end; await pause(5));
      t.is(last(), PLACES);
    });
  }
}
