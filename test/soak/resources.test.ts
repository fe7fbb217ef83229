// What runs out: file descriptors, the disk of the access log, the memory that slow clients could take, and the patience with
// those that never finish their request. Numbers are those of the list in test/soak/README.md.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { startBackend } from '../support/fairlead-backend.ts';
import { eventually, get } from '../support/fairlead-http.ts';
import { documents, endpoints, ingress, service } from '../support/fairlead-manifests.ts';
import { FULL, isAlive, residentOf, startLoadSite } from '../support/load-site.ts';
import { MixedLoad } from '../support/mixed-load.ts';
import { FLAG, FRAME, frame, headerBlock, requestFields } from '../support/raw-http2.ts';

const RATE = FULL ? 500 : 150;
const GET = 'GET /page HTTP/1.1\r\nHost: shop.example.com\r\n\r\n';

/** A connection that stays, whatever becomes of it. */
function hold(port: number, onData: () => void = () => undefined): net.Socket {
  return net.connect({ port, host: '127.0.0.1' }).on('error', () => undefined).on('data', onData);
}

test.serial('17: without file descriptors no worker dies, what is open goes on, a metric shows it, and accepting goes on when some are free', async (t) => {
  t.timeout(120_000);
  const site = await startLoadSite(t, { args: ['--workers', '1'] });
  const [worker] = site.workers() as [number];
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: RATE, mix: ['h1', 'h2', 'ws'] });
  await pause(1_000);
  t.deepEqual(load.lap().failures, []);
  const open = await site.metric('fairlead_worker_open_file_descriptors');
  t.true(open > 20 && open < (await site.metric('fairlead_worker_max_file_descriptors')), `${open}`);
  // The limit is one on their numbers, and a descriptor gets the lowest that is free.
  const highest = Math.max(...readdirSync(`/proc/${worker}/fd`).map(Number));
  execFileSync('prlimit', ['--pid', String(worker), `--nofile=${highest + 30}`]);
  t.is(await site.metric('fairlead_worker_max_file_descriptors'), highest + 30);
  const crowd = Array.from({ length: 600 }, () => hold(site.fairlead.http));
  const limit = await site.metric('fairlead_worker_max_file_descriptors');
  const during = await eventually('every descriptor is taken', async () => {
    const taken = await site.metric('fairlead_worker_open_file_descriptors');
    return taken >= limit - 2 && taken;
  });
  // Shorter than an idle connection may wait for its first head.
  await pause(FULL ? 5_000 : 1_000);
  t.true(isAlive(worker));
  // Kept connections are served on those that are open to the endpoint; nothing new can be opened in either direction.
  const meanwhile = load.lap();
  const served = meanwhile.sent - meanwhile.failures.length;
  t.true(served > meanwhile.sent * 0.9, JSON.stringify(meanwhile.outcomes));
  for (const socket of crowd) socket.destroy();
  const freedAt = performance.now();
  await eventually('a new connection is served', () => get(site.fairlead.http, '/page', { host: 'shop.example.com' }).then(({ status }) => status === 200, () => false));
  const resumedMs = performance.now() - freedAt;
  t.true(resumedMs < (FULL ? 1_000 : 5_000), `${resumedMs} ms`);
  await pause(500);
  load.lap();
  await pause(500);
  t.deepEqual((await load.stop()).failures, []);
  t.is(site.workers()[0], worker);
  t.log(`${during} of ${limit} descriptors; ${meanwhile.failures.length} of ${meanwhile.sent} requests failed meanwhile; accepting again after ${Math.round(resumedMs)} ms`);
});

test.serial('18: on a full disk log lines are dropped and counted, and traffic does not notice', async (t) => {
  t.timeout(120_000);
  // Every write to this device fails with ENOSPC.
  const site = await startLoadSite(t, { args: ['--access-log', '/dev/full'] });
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: RATE });
  // A megabyte is kept for a disk that may have room again; then lines go.
  const long = `/${'x'.repeat(7_000)}`;
  const dropped = (): Promise<number> => site.metric('fairlead_access_log_dropped_total');
  await eventually('lines are dropped', async () => {
    for (let nth = 0; nth < 20; nth++) await get(site.fairlead.http, long, { host: 'shop.example.com' });
    return (await dropped()) > 0;
  });
  const first = await dropped();
  if (FULL) await pause(30_000);
  for (let nth = 0; nth < 200; nth++) await get(site.fairlead.http, long, { host: 'shop.example.com' });
  t.true((await dropped()) > first);
  const { failures, sent } = await load.stop();
  t.deepEqual(failures, []);
  t.log(`${sent} requests, F = 0; ${await dropped()} lines dropped and counted`);
});

const COLLECTOR = fileURLToPath(new URL('../support/collect-in-worker.ts', import.meta.url));
const READERS = 100;
const MB = 1024 * 1024;
const LARGE = 100_000_000;
const MUCH = 'much.example.com';

/** An application whose answers are 100 MB, and how much of them it has written. */
async function startMuch(t: ExecutionContext): Promise<{ readonly port: number; readonly written: () => number }> {
  const chunk = Buffer.alloc(65_536);
  let written = 0;
  const port = await startBackend(t, 'much', (_request, response) => {
    response.setHeader('content-length', LARGE);
    let left = LARGE;
    const more = (): void => {
      while (left > 0) {
        const part = chunk.subarray(0, Math.min(left, chunk.length));
        left -= part.length;
        written += part.length;
        if (!response.write(part)) return void response.once('drain', more);
      }
      response.end();
    };
    more();
  });
  return { port, written: () => written };
}

/** What a client sends to ask for it. Over HTTP/2 it takes more than there is (RFC 9113 §6.9), so that only its not reading holds it up. */
const ASKING: readonly (readonly [string, Buffer])[] = [
  ['HTTP/1.1', Buffer.from(`GET / HTTP/1.1\r\nHost: ${MUCH}\r\n\r\n`)],
  ['HTTP/2', Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(FRAME.SETTINGS, 0, 0, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff])), frame(FRAME.WINDOW_UPDATE, 0, 0, Buffer.from([0x7f, 0, 0, 0])),
    frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, headerBlock(requestFields('GET', '/', MUCH))),
  ])],
];

for (const [protocol, asking] of ASKING) {
  test.serial(`24: ${READERS} clients that read a byte a second of a large answer over ${protocol} stop the endpoint and cost next to no memory`, async (t) => {
    t.timeout(180_000);
    const { port, written } = await startMuch(t);
    const site = await startLoadSite(t, { args: ['--workers', '1'], env: { NODE_OPTIONS: `--import ${COLLECTOR}` }, files: { 'much.yaml': documents(ingress('much', { host: MUCH, paths: { '/': 'much' } }), service('much'), endpoints('much', port)) } });
    const [worker] = site.workers() as [number];
    /** What is resident when nothing more can be collected: how much garbage there is has nothing to do with the number of clients. */
    const needed = async (): Promise<number> => {
      process.kill(worker, 'SIGUSR2');
      await pause(500);
      return residentOf(worker);
    };
    const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: 100 });
    const sockets: net.Socket[] = [];
    const ask = (): net.Socket => {
      const socket = net.connect({ port: site.fairlead.http, host: '127.0.0.1' }).on('error', () => undefined);
      socket.write(asking);
      sockets.push(socket);
      return socket;
    };
    const sip = setInterval(() => sockets.forEach((socket) => void socket.read(1)), 1_000);
    t.teardown(() => {
      clearInterval(sip);
      for (const socket of sockets) socket.destroy();
    });
    // What it takes to pass on large answers at full speed (compiled code, room in the heap) is taken once, by a reader that is fast.
    const start = residentOf(worker);
    for (let nth = 0; nth < (FULL ? 5 : 2); nth++) {
      const fast = ask();
      for (let read = 0; read < LARGE; ) read += ((await once(fast, 'data')) as [Buffer])[0].length;
      fast.destroy();
    }
    sockets.length = 0;
    await pause(1_000);
    const before = await needed();
    const writtenBefore = written();
    for (let nth = 0; nth < READERS; nth++) ask().pause();
    // Until the buffers of the system are full.
    for (let last = -1; last !== written(); await pause(700)) last = written();
    const atRest = written() - writtenBefore;
    const after = residentOf(worker);
    await pause(FULL ? 30_000 : 1_500);
    // The clients' own buffers take a little as they sip.
    const more = written() - writtenBefore - atRest;
    t.true(more <= READERS * 6 * 65_536, `${more} bytes more: the endpoint is not paused`);
    t.true(atRest < READERS * 12_000_000, `${atRest} bytes`);
    const each = ((await needed()) - before) / READERS;
    const { failures } = await load.stop();
    t.deepEqual(failures, []);
    t.log(`${READERS} clients cost ${Math.round(each / 1024)} kB of resident memory each: ${Math.round(start / MB)} MB at the start, ${Math.round(before / MB)} MB after a fast one, ${Math.round(after / MB)} MB with all of them, garbage included; the endpoint stopped after ${(atRest / READERS / 1e6).toFixed(1)} MB each (buffers of the system); F = 0 of others`);
    t.true(each < 64 * 1024 + (FULL ? 0 : 32 * 1024), `${Math.round(each / 1024)} kB each`);
  });
}

const SLOW = FULL ? { clients: 5_000, headSeconds: 10 } : { clients: 300, headSeconds: 2 };

test.serial(`25: ${SLOW.clients} clients that never finish their head or their body harm nobody, and heads end after ${SLOW.headSeconds} s`, async (t) => {
  t.timeout(180_000);
  const site = await startLoadSite(t, { args: ['--client-header-timeout', `${SLOW.headSeconds}s`] });
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: RATE });
  await pause(1_000);
  t.deepEqual(load.lap().failures, []);
  const before = site.workers().reduce((sum, pid) => sum + residentOf(pid), 0);
  const lives: number[] = [];
  const sockets: net.Socket[] = [];
  let bodiesClosed = 0;
  for (let nth = 0; nth < SLOW.clients; nth++) {
    const slowHead = nth % 2 === 0;
    const socket = hold(site.fairlead.http);
    socket.once('connect', () => {
      const connectedAt = performance.now();
      if (slowHead) socket.once('close', () => lives.push(performance.now() - connectedAt));
      else socket.once('close', () => bodiesClosed++);
      socket.write(slowHead ? 'GET /page HTTP/1.1\r\nHost: shop.example.com\r\n' : 'POST /page HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 1000\r\n\r\nx');
    });
    sockets.push(socket);
    if (nth % 100 === 99) await pause(20);
  }
  let drips = 0;
  const drip = setInterval(() => {
    drips++;
    sockets.forEach((socket, nth) => socket.writable && socket.write(nth % 2 === 0 ? `x-${drips}: y\r\n` : 'x'));
  }, 1_000);
  t.teardown(() => {
    clearInterval(drip);
    for (const socket of sockets) socket.destroy();
  });
  const heads = SLOW.clients / 2;
  await eventually('every slow head is closed', () => lives.length === heads);
  const grown = site.workers().reduce((sum, pid) => sum + residentOf(pid), 0) - before;
  const { failures, sent } = await load.stop();
  t.deepEqual(failures, []);
  t.is(bodiesClosed, 0, 'a body that goes on, if slowly, is none that stopped');
  t.true(Math.min(...lives) >= SLOW.headSeconds * 1000 - 100 && Math.max(...lives) < SLOW.headSeconds * 1000 + (FULL ? 2_000 : 4_000), `${Math.min(...lives)} to ${Math.max(...lives)} ms`);
  t.log(`${sent} requests of others, F = 0; heads ended after ${(Math.min(...lives) / 1000).toFixed(1)} to ${(Math.max(...lives) / 1000).toFixed(1)} s; ${(grown / SLOW.clients / 1024).toFixed(1)} kB of memory each`);
  const probe = hold(site.fairlead.http);
  probe.write(GET);
  await once(probe, 'data');
  probe.destroy();
});
