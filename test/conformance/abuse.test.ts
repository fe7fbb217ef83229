// HTTP/2 abuse against a real Fairlead with two workers. A worker may at worst be lost to an attack, never the clients of the
// other one; memory is bounded, and no connection makes the application work more than a busy client does.
// `npm run abuse` has the full size and prints how long honest clients waited; here every attack is smaller.
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { selfSigned } from '../../certs/self-signed.ts';
import { HTTP_LISTENER, endpoint, simpleTable, startDataPlane } from '../support/data-plane.ts';
import { withOpenssl } from '../support/openssl.ts';
import { ATTACKS } from './abuse/attacks.ts';
import { renegotiate } from './abuse/renegotiation.ts';
import { startScene } from './abuse/scene.ts';
import type { Scene } from './abuse/scene.ts';

const FULL = process.env['ABUSE'] === 'full';
const MOST_GROWTH_MB = 150;
const MOST_DISPATCHED = 200;
const MOST_DOWN_MS = 1_000;
/** How often a worker is made to abort. */
const ABORTS = Number(process.env['ABUSE_RUNS'] ?? (FULL ? 20 : 1));
/** Of these attacks one connection over TLS, too: the bytes come in records, and its socket is another one. */
const OVER_TLS: readonly string[] = ['rapid reset', 'CONTINUATION without end', 'a flood of PING', 'HPACK bombs just below the limits', 'a window that opens byte by byte'];
/** Of an honest client's 99th percentile that is measured before any attack, and of nothing. */
const MOST_SLOWER = 3;
const SLACK_MS = 10;
/** Over so long an attack of one connection is judged at least: most of them end with their connection, within a tenth of a second. */
const WINDOW_MS = 1_500;
/** So often an attack is made again, with a quiet time before each, where waits were too long: a virtual machine's own pauses are as long. */
const AGAIN = 2;

interface Expectation {
  readonly name: string;
  readonly connections: number;
  readonly dispatched: number;
  /** Workers that may be gone. */
  readonly lost: number;
}

/** What must hold after an attack that began with these workers. Returns honest clients' 99th percentile. */
function judge(t: ExecutionContext, scene: Scene, before: readonly number[], { name, connections, dispatched, lost: mayBeLost }: Expectation): number {
  const now = scene.workers();
  const lost = before.filter((pid) => !now.includes(pid));
  t.true(lost.length <= mayBeLost, `${name}: ${lost.length} workers were lost: ${JSON.stringify(scene.fairlead.log.slice(-20))}`);
  // A connection that a worker had not accepted yet when it was lost is lost with it.
  const losses = [...scene.honest.losses(), ...scene.honestOfAttacked.losses()].filter(({ worker }) => (worker === undefined ? lost.length === 0 : !lost.includes(worker)));
  if (losses.length > 0) t.log(losses);
  t.deepEqual(losses, [], `${name}: what honest clients of a living worker lost`);
  const { one, all } = scene.down();
  t.true(all < MOST_DOWN_MS, `${name}: nobody listened for ${Math.round(all)} ms`);
  const { once, inAll } = scene.growth();
  t.true(once < MOST_GROWTH_MB, `${name}: resident memory grew by ${Math.round(once)} MB`);
  t.true(inAll < MOST_GROWTH_MB, `${name}: resident memory has grown by ${Math.round(inAll)} MB since before all attacks`);
  t.true(dispatched <= MOST_DISPATCHED * connections, `${name}: ${dispatched} requests reached the application`);
  // Scaled, there are too few answers for a percentile, and a worker that ends takes a processor for its successor.
  if (FULL) t.true(one < MOST_DOWN_MS, `${name}: not all workers listened for ${Math.round(one)} ms`);
  const waits = [...scene.honest.waits().values()].flat();
  const p99 = percentile(waits, 0.99);
  t.log(`${name}: +${Math.round(once)} MB (+${Math.round(inAll)} MB since before all attacks), ${dispatched} requests dispatched, honest p99 ${p99.toFixed(1)} ms of ${waits.length}${lost.length > 0 ? `, ${lost.length} workers lost, not all listened for ${Math.round(one)} ms` : ''}`);
  return p99;
}

/** An attack that no worker may be lost to, and that honest clients may hardly notice. `quietMs`: their 99th percentile before any attack. */
async function endure(t: ExecutionContext, scene: Scene, quietMs: number, { name, connections, attack }: { readonly name: string; readonly connections: number; readonly attack: () => Promise<number> }): Promise<void> {
  let tookMs = 0;
  const once = async (): Promise<number> => {
    const before = scene.workers();
    scene.honest.waits();
    const began = performance.now();
    const dispatched = await attack();
    tookMs = performance.now() - began;
    return judge(t, scene, before, { name, connections, dispatched, lost: 0 });
  };
  const p99s = [await once()];
  if (!FULL || (p99s[0] as number) < MOST_SLOWER * quietMs + SLACK_MS) return;
  const quiets = [quietMs];
  for (let again = 0; again < AGAIN; again++) {
    // What is rare is not seen in a shorter time.
    quiets.push(await quietly(scene, tookMs));
    p99s.push(await once());
  }
  const p99 = percentile(p99s, 0.5);
  const quiet = percentile(quiets, 0.5);
  const all = `${name}: honest p99 of ${p99s.map((ms) => ms.toFixed(1)).join(', ')} ms, without ${quiets.map((ms) => ms.toFixed(1)).join(', ')} ms`;
  t.log(all);
  t.true(p99 < MOST_SLOWER * quiet + SLACK_MS, all);
}

/** Honest clients' 99th percentile in ms while nobody attacks. */
async function quietly(scene: Scene, ms: number): Promise<number> {
  scene.honest.waits();
  await pause(ms);
  return percentile([...scene.honest.waits().values()].flat(), 0.99);
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.trunc(sorted.length * part))] ?? 0;
}

test.serial('no abuse of HTTP/2 takes anything from the clients of another worker, much memory, or many requests to the application', async (t) => {
  t.timeout(120_000 + (FULL ? 20 * 60_000 : 0) + ABORTS * 5_000);
  const scene = await startScene(t);
  // Buffers and compiled code that any traffic brings come before what is measured.
  await scene.attack({ name: 'parting', count: 1, connections: 1, lingerMs: 500 });
  await pause(FULL ? 5_000 : 500);
  scene.growth();
  scene.down();
  const quietMs = await quietly(scene, FULL ? 10_000 : 500);
  t.log(`before any attack: honest p99 ${quietMs.toFixed(1)} ms`);
  for (const { name, counts, secure } of [...ATTACKS.map((attack) => ({ ...attack, secure: false })), ...ATTACKS.filter(({ name }) => OVER_TLS.includes(name)).map((attack) => ({ ...attack, secure: true }))]) {
    const attack = async (): Promise<number> => {
      const overAt = performance.now() + (FULL ? WINDOW_MS : 0);
      const dispatched = await scene.attack({ name, count: FULL ? counts[0] : counts[1], connections: 1, lingerMs: FULL ? WINDOW_MS : 50, secure });
      await pause(Math.max(0, overAt - performance.now()));
      return dispatched;
    };
    await endure(t, scene, quietMs, { name: secure ? `${name}, over TLS` : name, connections: 1, attack });
  }

  for (const connections of FULL ? [50, 1_000] : [50]) {
    const attack = async (): Promise<number> => {
      const dispatched = await scene.attack({ name: 'stalled', count: 100, connections, lingerMs: FULL ? 10_000 : 1_000 });
      await pause(500);
      return dispatched;
    };
    await endure(t, scene, quietMs, { name: `${connections} connections with 100 stalled streams each`, connections, attack });
    t.deepEqual([...new Set(await scene.askAttacked())], [200], 'the application that was attacked is served again');
  }

  const partings = FULL ? 500 : 50;
  const part = async (): Promise<number> => {
    let parted = 0;
    for (let round = 0; round < partings; round += 10) parted += await scene.attack({ name: 'parting', count: 1, connections: 10, lingerMs: 20 });
    return parted;
  };
  await endure(t, scene, quietMs, { name: `${partings} connections that part at once`, connections: partings, attack: part });

  // Nothing above may end a worker. If one ends all the same, as an abort of native code ends it, the other one goes on.
  for (let round = 0; round < ABORTS; round++) {
    const workers = scene.workers();
    process.kill(workers[round % workers.length] as number, 'SIGABRT');
    const dispatched = await scene.attack({ name: 'rapid reset', count: 1_000, connections: 1, lingerMs: 100 });
    for (const deadline = performance.now() + 10_000; scene.workers().length < 2 && performance.now() < deadline; ) await pause(20);
    await pause(FULL ? 1_000 : 200);
    judge(t, scene, workers, { name: 'a worker that aborts', connections: 1, dispatched, lost: 1 });
  }
  t.true(scene.honest.answered() > 100, 'the honest clients were served all the time');
  t.log(`${scene.honest.answered()} answers to honest clients`);
  await scene.stop();
});

withOpenssl('a TLS 1.2 client that renegotiates is refused at the first attempt', async (t) => {
  const own = selfSigned({ hostnames: ['shop.example.com'] });
  const https = { ...HTTP_LISTENER, name: 'https', protocol: 'HTTPS', tls: { defaultCertificate: own.name, minVersion: 'TLSv1.2' } } as const;
  const proxy = await startDataPlane({ ...simpleTable([endpoint(1)]), listeners: { 'listener/http': HTTP_LISTENER, 'listener/https': https }, certificates: { [own.name]: own } });
  const { done, output } = await renegotiate(proxy.httpsPort as number, 10);
  t.is(done, 0, output);
  t.regex(output, /RENEGOTIATING[\s\S]*no_renegotiation/);
  await proxy.close();
});
