// Many connections, more requests than can be served, and a long time under changes. Numbers are those of the list in
// test/soak/README.md.
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { startBackend } from '../support/fairlead-backend.ts';
import { eventually, get } from '../support/fairlead-http.ts';
import { documents, endpoints, ingress, service } from '../support/fairlead-manifests.ts';
import { startFairlead } from '../support/fairlead-run.ts';
import { FULL, residentOf, sequence, startLoadSite } from '../support/load-site.ts';
import type { LoadSite } from '../support/load-site.ts';
import { secretYaml } from '../support/manifests.ts';
import { MixedLoad } from '../support/mixed-load.ts';
import { authority, issue } from '../support/pki.ts';

const MB = 1024 * 1024;

function residentOfAll({ fairlead, workers }: LoadSite): number {
  return [fairlead.child.pid ?? 0, ...workers()].reduce((sum, pid) => sum + residentOf(pid), 0);
}

/** The least-squares slope of values at times. */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  return points.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0) / points.reduce((sum, [a]) => sum + (a - x) ** 2, 0);
}

const IDLE = FULL ? 10_000 : 200;
/** An HTTP/2 client's preface and empty SETTINGS. RFC 9113 §3.4 */
const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]);

test.serial(`46: ${IDLE} idle HTTP/2 connections over TLS fit into memory, and nobody else is slower for them`, async (t) => {
  t.timeout(240_000);
  const identity = issue(authority('capacity authority'), 'shop', { names: ['shop.example.com'] });
  const site = await startLoadSite(t, {
    args: ['--keep-alive-timeout', '10m'],
    files: { 'tls.yaml': documents(ingress('tls', { host: 'tls.example.com', tls: 'tls' }), secretYaml('tls', identity.certPem, identity.keyPem, 'shop')) },
  });
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: FULL ? 500 : 150 });
  await pause(FULL ? 5_000 : 1_000);
  load.lap();
  await pause(FULL ? 15_000 : 1_500);
  const quiet = load.lap();
  const before = residentOfAll(site);
  const sockets: TLSSocket[] = [];
  let closed = 0;
  t.teardown(() => sockets.forEach((socket) => socket.destroy()));
  for (let nth = 0; nth < IDLE; nth += 20) {
    await Promise.all(Array.from({ length: 20 }, async () => {
      const socket = connect({ port: site.fairlead.https, host: '127.0.0.1', servername: 'tls.example.com', rejectUnauthorized: false, ALPNProtocols: ['h2'] });
      socket.on('error', () => undefined);
      socket.on('close', () => closed++);
      sockets.push(socket);
      await once(socket, 'secureConnect');
      socket.write(PREFACE);
      socket.resume();
    }));
  }
  await pause(FULL ? 5_000 : 500);
  load.lap();
  await pause(FULL ? 15_000 : 1_500);
  const total = residentOfAll(site);
  const idle = load.lap();
  const rest = await load.stop();
  t.deepEqual([...quiet.failures, ...idle.failures, ...rest.failures], []);
  t.is(closed, 0);
  t.true((await site.metric('fairlead_connections')) >= IDLE);
  t.log(`${Math.round(total / MB)} MB in all processes, ${Math.round((total - before) / IDLE / 1024)} kB per connection; of ${idle.sent} requests of others p50 ${quiet.p50.toFixed(1)} → ${idle.p50.toFixed(1)} ms, p99 ${quiet.p99.toFixed(1)} → ${idle.p99.toFixed(1)} ms, F = 0`);
  // Node's TLS alone takes 48 kB for each connection.
  t.true(total < 1_024 * MB, `${Math.round(total / MB)} MB`);
  if (FULL) t.true(idle.p99 <= quiet.p99 * 1.2, `p99 ${quiet.p99} → ${idle.p99} ms`);
});

const DROPPED = FULL ? 50_000 : 3_000;

test.serial(`47: ${DROPPED} connections that are opened and dropped leave no more behind than as many before them did`, async (t) => {
  t.timeout(240_000);
  const site = await startLoadSite(t);
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: 100 });
  const wave = async (count: number): Promise<void> => {
    for (let nth = 0; nth < count; nth += 50) {
      await Promise.all(Array.from({ length: 50 }, async (_, which) => {
        const socket = net.connect({ port: site.fairlead.http, host: '127.0.0.1' }).on('error', () => undefined);
        await once(socket, 'connect');
        // In the middle of a head, of a request, idle after one: each has its own state to give back.
        if (which % 3 === 1) socket.write('GET /page HTTP/1.1\r\nHost: sh');
        if (which % 3 === 2) {
          socket.write('GET /page HTTP/1.1\r\nHost: shop.example.com\r\n\r\n');
          await once(socket, 'data');
        }
        if (which % 2 === 0) socket.resetAndDestroy();
        else socket.destroy();
      }));
    }
  };
  // The baseline is what is resident after a first wave of as many, which makes what is made once: pools, compiled code, room in the heap.
  const start = residentOfAll(site);
  await wave(DROPPED);
  await pause(FULL ? 20_000 : 1_000);
  const [before, descriptors] = [residentOfAll(site), await site.metric('fairlead_worker_open_file_descriptors')];
  await wave(DROPPED);
  const peak = residentOfAll(site);
  let after = peak;
  const endsAt = performance.now() + (FULL ? 60_000 : 10_000);
  while (performance.now() < endsAt && (after = Math.min(after, residentOfAll(site))) > before * (FULL ? 1.1 : 1.2)) await pause(250);
  const { failures, sent } = await load.stop();
  t.deepEqual(failures, []);
  t.true(after <= before * (FULL ? 1.1 : 1.2), `${Math.round(before / MB)} MB before, ${Math.round(after / MB)} MB after`);
  await eventually('descriptors are given back', async () => (await site.metric('fairlead_worker_open_file_descriptors')) <= descriptors + 5);
  t.log(`${Math.round(start / MB)} MB at the start, ${Math.round(before / MB)} MB after a first wave, ${Math.round(peak / MB)} MB at the end of the second, ${Math.round(after / MB)} MB after; ${sent} requests of others, F = 0`);
});

const MINUTES = Number(process.env['SOAK_MINUTES'] ?? 10);
const LONG = FULL ? { seconds: MINUTES * 60, sampleMs: 5_000, collectMs: 30_000, rate: 500 } : { seconds: 3, sampleMs: 250, collectMs: 1_000, rate: 150 };
const COLLECTOR = fileURLToPath(new URL('../support/collect-in-worker.ts', import.meta.url));

/** What is resident in the workers when nothing more can be collected: it grows by what leaks, and does not breathe. */
async function neededMemory(site: LoadSite): Promise<number> {
  for (const pid of site.workers()) process.kill(pid, 'SIGUSR2');
  await pause(500);
  return site.workers().reduce((sum, pid) => sum + residentOf(pid), 0) / MB;
}

test.serial(`48: ${LONG.seconds} s of mixed load and a change a second: no failure, no descriptor, no memory that stays`, async (t) => {
  t.timeout((LONG.seconds + 120) * 1000);
  const site = await startLoadSite(t, { args: ['--log-level', 'error'], env: { NODE_OPTIONS: `--import ${COLLECTOR}` } });
  const load = await MixedLoad.start(t, { port: site.fairlead.http, rate: LONG.rate });
  // Compiled code, pools and the first growth of the heap are no slope.
  await pause(FULL ? 60_000 : 1_000);
  const first = load.lap();
  const random = sequence(48);
  const memory: (readonly [number, number])[] = [];
  const needed: (readonly [number, number])[] = [];
  const descriptors: number[] = [];
  const p50s: number[] = [];
  const failures = [...first.failures];
  let sent = 0;
  let changes = 0;
  const startedAt = performance.now();
  while (performance.now() - startedAt < LONG.seconds * 1000) {
    const due = Math.floor((performance.now() - startedAt) / 1000);
    for (; changes <= due; changes++) site.fairlead.write(`other-${random(50)}.yaml`, ingress(`other-${changes % 50}`, { host: `other-${changes % 50}.example.com`, paths: { [`/v${random(1000)}`]: 'web' } }));
    await pause(LONG.sampleMs);
    if (performance.now() - startedAt >= needed.length * LONG.collectMs) needed.push([(performance.now() - startedAt) / 3_600_000, await neededMemory(site)]);
    memory.push([(performance.now() - startedAt) / 3_600_000, residentOfAll(site) / MB]);
    descriptors.push(await site.metric('fairlead_worker_open_file_descriptors'));
    const lap = load.lap();
    sent += lap.sent;
    failures.push(...lap.failures);
    p50s.push(lap.p50);
  }
  failures.push(...(await load.stop()).failures);
  t.deepEqual(failures, []);
  const half = (values: readonly number[], which: 0 | 1): number => {
    const part = values.slice(which === 0 ? 0 : values.length >> 1, which === 0 ? values.length >> 1 : undefined);
    return part.sort((a, b) => a - b)[part.length >> 1] ?? 0;
  };
  t.true(half(descriptors, 1) <= half(descriptors, 0) * 1.1 + 5, descriptors.join(' '));
  // The heap breathes by some ten megabytes: over minutes only the second half, from the first to the last, says something of a slope.
  const late = memory.slice(memory.length >> 1);
  t.log(`${sent} requests, F = 0, ${changes} changes; resident ${memory[0]![1].toFixed(0)} → ${memory.at(-1)![1].toFixed(0)} MB, slope of the second half ${slope(late).toFixed(1)} MB/h (of ${((LONG.seconds / 60) / 2).toFixed(1)} min); without garbage, in the workers: ${needed.map(([, mb]) => mb.toFixed(1)).join(' ')} MB, slope of the second half ${slope(needed.slice(needed.length >> 1)).toFixed(1)} MB/h; descriptors ${half(descriptors, 0)} → ${half(descriptors, 1)}; p50 ${half(p50s, 0).toFixed(2)} → ${half(p50s, 1).toFixed(2)} ms`);
  // Below an hour a slope is what the heap's breath happens to be.
  if (FULL && MINUTES >= 60) {
    t.true(slope(needed.slice(needed.length >> 1)) < 1, needed.map(([, mb]) => mb.toFixed(1)).join(' '));
    t.true(half(p50s, 1) <= half(p50s, 0) * 1.1, `p50 ${half(p50s, 0)} → ${half(p50s, 1)} ms`);
  }
  if (FULL) t.true(late.at(-1)![1] - late[0]![1] < 30, memory.map(([, mb]) => mb.toFixed(0)).join(' '));
});

const OVER = FULL ? { seconds: 300, peakSeconds: 10 } : { seconds: 2, peakSeconds: 1 };

test.serial(`49: with twice as many requests as its endpoint has places for, for ${OVER.seconds} s, as many are served as at its best, and the rest is told at once`, async (t) => {
  t.timeout(480_000);
  // An application that answers 16 requests at a time, each in 20 ms; Fairlead keeps to that and lets as many wait.
  const [places, workMs] = [16, 20];
  const web = await startBackend(t, 'web', (_request, response) => void setTimeout(() => response.end('done'), workMs));
  const fairlead = await startFairlead(t, {
    args: ['--workers', '1', '--access-log', 'off', '--endpoint-requests', String(places), '--waiting-requests', String(places)],
    files: { 'site.yaml': documents(ingress('web'), service('web'), endpoints('web', web)) },
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 400 });
  t.teardown(() => agent.destroy());
  const outcomes = new Map<string, number>();
  const ask = (): Promise<void> => new Promise((resolve) => {
    const note = (what: string): void => {
      outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
      resolve();
    };
    const request = http.get({ port: fairlead.http, host: '127.0.0.1', agent, headers: { host: 'shop.example.com' } }, (response) => {
      response.resume();
      response.on('end', () => note(response.statusCode === 503 && response.headers['retry-after'] === undefined ? '503 without Retry-After' : String(response.statusCode)));
      response.on('error', (error) => note(error.message));
    });
    request.on('error', (error) => note(error.message));
  });
  const served = (): number => outcomes.get('200') ?? 0;
  // The best: always as many as there are places, and nobody who waits.
  let over = false;
  const startedAt = performance.now();
  const crowd = Array.from({ length: places }, async () => {
    while (!over) await ask();
  });
  await pause(OVER.peakSeconds * 1000);
  over = true;
  await Promise.all(crowd);
  const peak = served() / ((performance.now() - startedAt) / 1000);
  outcomes.clear();
  // Twice that, by the clock.
  const health: number[] = [];
  const pending = new Set<Promise<void>>();
  const overAt = performance.now();
  let sent = 0;
  while (performance.now() - overAt < OVER.seconds * 1000) {
    const due = ((performance.now() - overAt) / 1000) * peak * 2;
    for (; sent < due; sent++) {
      const one = ask();
      pending.add(one);
      void one.finally(() => pending.delete(one));
    }
    if (health.length < (performance.now() - overAt) / 250) {
      const at = performance.now();
      t.is((await get(fairlead.admin, '/healthz')).status, 200);
      health.push(performance.now() - at);
    }
    await pause(5);
  }
  const goodput = served() / ((performance.now() - overAt) / 1000);
  await Promise.all(pending);
  const overload = new Map(outcomes);
  outcomes.clear();
  const recoveredAt = performance.now();
  for (let good = 0; good < 20; await pause(10)) {
    outcomes.clear();
    await ask();
    good = served() === 1 ? good + 1 : 0;
    if (performance.now() - recoveredAt > 10_000) break;
  }
  const recoveryMs = performance.now() - recoveredAt;
  health.sort((a, b) => a - b);
  t.deepEqual([...overload.keys()].sort(), ['200', '503'], JSON.stringify([...overload]));
  // Scaled, a machine that is busy for a second counts for as much as the whole test.
  t.true(goodput >= peak * (FULL ? 0.9 : 0.7), `${goodput} of ${peak}`);
  t.true(recoveryMs < 5_000, `${recoveryMs} ms`);
  t.true(FULL ? health.at(-1)! < 100 : health[Math.floor(health.length * 0.9)]! < 500, health.join(' '));
  t.log(`best ${peak.toFixed(0)} a second; at twice that ${goodput.toFixed(0)} (${((goodput / peak) * 100).toFixed(0)} %), and ${overload.get('503')} of ${sent} were told 503 with Retry-After; health within ${health.at(-1)!.toFixed(1)} ms; twenty good answers in a row ${Math.round(recoveryMs)} ms after the end`);
});
