// A whole Fairlead that is driven over its memory limit by clients that begin requests and do not end them: new requests
// are told to come again, what is under way goes on, health and metrics answer, and when the clients are gone all is served again.
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { systemLoad } from '../../proxy/server/load-probe.ts';
import { eventually, get } from '../support/fairlead-http.ts';
import { residentOf, startLoadSite } from '../support/load-site.ts';
import { OpenStreams } from '../support/open-streams.ts';

const HOST = 'shop.example.com';
const MB = 1024 * 1024;
/** What an upload that does not end holds: a body that is buffered until it is complete (HELD_BYTES, 64 KiB). */
const UPLOAD = Buffer.concat([Buffer.from(`POST /page HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 65536\r\n\r\n`), Buffer.alloc(65_535)]);
const MOST_UPLOADS = 3_000;
/** What the worker may grow by until it is critical. */
const ROOM = 60 * MB;

test('over the memory limit new requests are 503, open streams go on, health and metrics answer, and all is well when there is room again', async (t) => {
  t.timeout(120_000);
  if (systemLoad({ limitBytes: 0, processes: 1 })().memory > 0) {
    t.log('skipped: this container has a memory limit, so that its accounts count, in which the tests are, too');
    return t.pass();
  }
  // What a worker takes that serves such streams: the limit is counted from there.
  const measured = await startLoadSite(t, { args: ['--workers', '1'] });
  const trial = await OpenStreams.open(t, { port: measured.fairlead.http, sockets: 20, chats: 20, rate: 200 });
  await pause(1_000);
  await trial.stop();
  const rest = residentOf(measured.workers()[0]!);
  await measured.fairlead.stop();
  // Counted as twice the worker: it and the primary process.
  const limit = Math.round((2 * (rest + ROOM)) / 0.92);

  const site = await startLoadSite(t, { args: ['--workers', '1', '--memory-limit', String(limit), '--client-body-timeout', '5m'] });
  const { http, admin } = site.fairlead;
  const [worker] = site.workers() as [number];
  const level = (): Promise<number> => site.metric('fairlead_worker_overload');
  const streams = await OpenStreams.open(t, { port: http, sockets: 20, chats: 20, rate: 200 });
  t.is((await get(http, '/page', { host: HOST })).status, 200);
  t.is(await level(), 0);

  const uploads: net.Socket[] = [];
  t.teardown(() => uploads.forEach((socket) => socket.destroy()));
  while ((await level()) < 2 && uploads.length < MOST_UPLOADS) {
    for (let nth = 0; nth < 100; nth++) {
      const socket = net.connect({ port: http, host: '127.0.0.1' }).on('error', () => undefined);
      socket.write(UPLOAD);
      uploads.push(socket);
    }
    await pause(600);
  }
  const over = residentOf(worker);
  t.is(await level(), 2, `${uploads.length} uploads, ${Math.round(rest / MB)} → ${Math.round(over / MB)} MB`);

  const slow: number[] = [];
  for (let nth = 0; nth < 20; nth++) {
    const refused = await get(http, '/page', { host: HOST });
    t.is(refused.status, 503);
    t.is(refused.headers['retry-after'], '1');
    const at = performance.now();
    t.is((await get(admin, '/healthz')).status, 200);
    t.is((await get(admin, '/readyz')).status, 200);
    t.is((await get(admin, '/metrics')).status, 200);
    slow.push(performance.now() - at);
    await pause(50);
  }
  t.is(await level(), 2);
  slow.sort((a, b) => a - b);
  t.true(slow[Math.floor(slow.length * 0.8)]! < 300, `${slow.map(Math.round).join(' ')} ms for the three of them`);

  const leftAt = performance.now();
  for (const socket of uploads) socket.destroy();
  await eventually('it serves again', async () => (await get(http, '/page', { host: HOST })).status === 200);
  const servedMs = performance.now() - leftAt;
  await eventually('it is as before', async () => (await level()) === 0);
  const { closed, wrong, messages } = await streams.stop();
  t.deepEqual({ closed, wrong }, { closed: 0, wrong: 0 });
  t.is(site.workers()[0], worker);
  t.log(`${uploads.length} uploads of 64 KiB that do not end: ${Math.round(rest / MB)} → ${Math.round(over / MB)} MB; health, readiness and metrics together within ${Math.round(slow.at(-1)!)} ms; served again ${Math.round(servedMs)} ms after they left, level 0 after ${Math.round(performance.now() - leftAt)} ms; ${messages} messages on open streams, none lost`);
});
