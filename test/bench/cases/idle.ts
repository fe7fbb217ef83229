// What an idle connection costs in memory: HTTP/1.1, plain and TLS, after one request on each. The proxy has been under load
// before, so that what it keeps for itself is there already; Node's processes are told to collect their garbage first.
import { setTimeout as pause } from 'node:timers/promises';
import { INSPECTABLE } from '../run/collect-garbage.ts';
import type { Peer, PeerName, Running } from '../peers/peer.ts';
import { against, figure, number } from '../report/stats.ts';
import type { Section } from '../report/table.ts';
import type { Bed } from '../run/bed.ts';
import { idleClient, wrk } from '../run/generators.ts';
import { memoryOf, openFilesOf } from '../run/meters.ts';

export const IDLE = 'idle';
const CONNECTIONS = 5000;
const SETTLE_MS = 1000;
const SETTLE_STEP_MS = 200;
/** The most that Fairlead may take, in kB. */
const LIMITS = { plain: 10, tls: 66 };

/** In kB, one of each run. */
interface Found {
  readonly plain: number[];
  readonly tls: number[];
}

export async function measureIdle(peers: readonly Peer[], bed: Bed, runs: number): Promise<Section> {
  const found = new Map<PeerName, Found>(peers.map(({ name }) => [name, { plain: [], tls: [] }]));
  const notes = ['What the kernel keeps for a socket is not in it.'];
  for (let run = 0; run < runs; run++) {
    // Memory does not mind company, so all peers are measured at once.
    const ends = await Promise.allSettled(peers.map((peer) => once(peer, bed, found.get(peer.name)!)));
    for (const end of ends) if (end.status === 'rejected') notes.push(end.reason instanceof Error ? end.reason.message.slice(0, 200) : String(end.reason));
  }
  const rows = [...found].map(([name, { plain, tls }]) => {
    const limits = name === 'fairlead' ? LIMITS : undefined;
    return [name, against(figure(plain), limits?.plain, 1), against(figure(tls), limits?.tls, 1)];
  });
  return { name: IDLE, title: `Idle HTTP/1.1 connections: resident memory of each, ${number(CONNECTIONS)} open`, header: ['peer', 'plain kB', 'TLS kB'], rows, notes, ratios: [], bars: [] };
}

async function once(peer: Peer, bed: Bed, { plain, tls }: Found): Promise<void> {
  const target = await bed.start(peer, { cpus: undefined, env: INSPECTABLE });
  try {
    plain.push(await perConnection(target, false));
    tls.push(await perConnection(target, true));
  } finally {
    await target.stop();
  }
}

/** In kB. */
async function perConnection(target: Running, tls: boolean): Promise<number> {
  const port = tls ? target.httpsPort : target.httpPort;
  await wrk({ tls, port, connections: 200, seconds: 1 }, undefined);
  const before = await settled(target);
  const idle = await idleClient({ port, tls, connections: CONNECTIONS, seconds: 0 }, undefined);
  try {
    const after = await settled(target);
    if (openFilesOf(target.pid) < CONNECTIONS) throw new Error('the peer closed idle connections before they could be measured');
    return (after - before) / CONNECTIONS / 1000;
  } finally {
    await idle.stop();
  }
}

/** The least of what the processes hold in the next second, in bytes. */
async function settled(target: Running): Promise<number> {
  await target.collectGarbage?.();
  let least = Infinity;
  for (const end = performance.now() + SETTLE_MS; performance.now() < end; await pause(SETTLE_STEP_MS)) least = Math.min(least, memoryOf(target.pid));
  return least;
}
