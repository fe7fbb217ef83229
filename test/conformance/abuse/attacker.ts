// The attacker of the abuse tests and the application that is attacked, in a process of their own: they must not slow down the
// clock by which honest clients are measured. Told over IPC what to send, how often and on how many connections at a time;
// answers when all of them are over with the number of requests that reached the application.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import tls from 'node:tls';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ATTACKS, parting, stalled } from './attacks.ts';

export interface Order {
  readonly port: number;
  /** Over TLS, with HTTP/2 by ALPN. */
  readonly secure: boolean;
  /** Of `ATTACKS`, or `stalled` or `parting`. */
  readonly name: string;
  readonly count: number;
  readonly connections: number;
  /** How long a connection that was not closed by the server is kept when all is sent. */
  readonly lingerMs: number;
}

const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]);

function batchesOf({ name, count }: Order): Iterable<Buffer> {
  if (name === 'stalled') return [stalled(count)];
  if (name === 'parting') return [parting()];
  const attack = ATTACKS.find((each) => each.name === name);
  if (attack === undefined) throw new Error(`there is no attack ${name}`);
  return attack.batches(count);
}

/** Sends batches as fast as they are taken, reads and drops what comes, and ends when the server closes or all is sent. */
async function attack(order: Order, batches: Iterable<Buffer>): Promise<void> {
  const socket = order.secure
    ? tls.connect({ port: order.port, host: '127.0.0.1', servername: 'shop.example.com', rejectUnauthorized: false, ALPNProtocols: ['h2'] })
    : net.connect({ port: order.port, host: '127.0.0.1', noDelay: true });
  let over = false;
  let wake = (): void => undefined;
  socket.on('error', () => undefined);
  socket.on('data', () => undefined);
  socket.on('drain', () => wake());
  socket.on('close', () => {
    over = true;
    wake();
  });
  socket.write(PREFACE);
  for (const batch of batches) {
    if (over) break;
    if (!socket.write(batch)) await new Promise<void>((resolve) => (wake = resolve));
    else await new Promise((resolve) => setImmediate(resolve));
  }
  if (!over) await Promise.race([new Promise<void>((resolve) => (wake = resolve)), pause(order.lingerMs, undefined, { ref: false })]);
  socket.destroy();
}

/** Requests that reached the application and were not reported yet. */
let dispatched = 0;
/** An application that nothing reaches for so long has seen all of an attack. */
const QUIET_MS = 60;
/** Longer than an attack takes: what is answered meanwhile would be a client's good right. */
const SLOW_MS = 5_000;
const BIG = Buffer.alloc(1_000_000, 120);

function startApplication(): void {
  const server = http.createServer((request, response): unknown => {
    if (request.url === '/attack/over') return response.end('ok');
    dispatched++;
    if (request.url === '/attack/big') response.end(BIG);
    else setTimeout(() => response.end('slow'), SLOW_MS);
    return undefined;
  });
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
}

async function obey(order: Order): Promise<void> {
  // What many connections send alike is made once: it takes a processor that the proxy has to share.
  const batches = order.connections === 1 ? batchesOf(order) : [...batchesOf(order)];
  await Promise.all(Array.from({ length: order.connections }, () => attack(order, batches)));
  // What is on its way to the application still counts.
  for (let before = -1; before !== dispatched; await pause(QUIET_MS)) before = dispatched;
  process.send?.({ dispatched });
  dispatched = 0;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  startApplication();
  process.on('message', (order: Order) => void obey(order));
}
