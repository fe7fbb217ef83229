// Load on every contestant in turn, and what it cost each. All are up at once and take turns, so that whatever else the machine
// does hits them alike.
import { busyTime, cpuOf, memoryOf } from '../run/meters.ts';
import { client } from '../run/generators.ts';
import type { ClientOrder, Counts } from '../run/generators.ts';
import type { Bed } from '../run/bed.ts';
import type { Peer, PeerName, Protocol, Running } from '../peers/peer.ts';
import { figure, number } from '../report/stats.ts';

const STEADY_SECONDS = 1;
/** A share of a processor that is worth a remark. */
const NOTABLE = 0.02;

export interface LoadCase {
  readonly name: string;
  readonly title: string;
  /** What is counted. */
  readonly unit: 'request' | 'message' | 'handshake';
  readonly protocol: Protocol;
  readonly table?: { readonly hosts: number; readonly paths: number };
  /** ECDSA P-256 if it is left out. */
  readonly certificate?: keyof Bed['certificates'];
  /** As much load as the generator can make, for a number of seconds. */
  load(target: Running, seconds: number, cpus: string | undefined): Promise<Counts>;
  /** Load at a fixed rate, for the latencies; absent: they say nothing in this case. */
  readonly steady?: Omit<ClientOrder, 'port' | 'seconds'> & { readonly rate: number };
  /** Resolves with what is wrong with the answers, undefined if nothing is. */
  check(target: Running): Promise<string | undefined>;
  /** Peers that cannot take part, and why. */
  readonly without?: Readonly<Partial<Record<PeerName, string>>>;
  /** Body bytes of a request, where the figure to look at is the CPU per byte. */
  readonly bodyBytes?: number;
  /** The most CPU that Fairlead may take, as a ratio to that of a peer. */
  readonly limits?: Readonly<Partial<Record<PeerName, number>>>;
}

export interface RunOptions {
  readonly runs: number;
  readonly seconds: number;
}

export interface Turn {
  readonly perSecond: number;
  /** Microseconds of CPU per request. */
  readonly user: number;
  readonly system: number;
  readonly memory: number;
  readonly errors: number;
  /** Share of the proxy's processors that others took. */
  readonly foreign: number;
  readonly p50?: number;
  readonly p99?: number;
}

/** One that takes part: a peer, as which the table shows it, and how it is set up. */
export interface Contestant {
  readonly label: string;
  readonly peer: Peer;
  readonly workers: number;
}

export interface Turns {
  /** By label, in the order of the contestants; those that were left out are missing. */
  readonly results: ReadonlyMap<string, readonly Turn[]>;
  /** Who was left out, why, and what failed. */
  readonly notes: string[];
}

/** Microseconds of CPU per request. */
export function total({ user, system }: Turn): number {
  return user + system;
}

export async function takeTurns(load: LoadCase, contestants: readonly Contestant[], bed: Bed, options: RunOptions): Promise<Turns> {
  const notes: string[] = [];
  const running: { readonly label: string; readonly peer: Peer; readonly target: Running; readonly turns: Turn[] }[] = [];
  try {
    for (const { label, peer, workers } of contestants) {
      const reason = load.without?.[peer.name];
      if (reason !== undefined) {
        notes.push(`${label}: left out, ${reason}.`);
        continue;
      }
      const target = await startOr(notes, label, bed, peer, { workers, protocol: load.protocol, certificate: bed.certificates[load.certificate ?? 'ecdsa'], ...(load.table === undefined ? {} : { table: load.table }) });
      if (target === undefined) continue;
      const wrong = await load.check(target).catch(message);
      if (wrong === undefined) running.push({ label, peer, target, turns: [] });
      else {
        notes.push(`${label}: left out, ${wrong}.`);
        await target.stop();
      }
    }
    for (const { peer, target } of running) await load.load(target, peer.warmUpSeconds, bed.cpus.load);
    for (let run = 0; run < options.runs; run++) {
      for (let place = 0; place < running.length; place++) {
        const { target, turns } = running[(run + place) % running.length]!;
        turns.push(await turn(load, target, bed, options.seconds));
      }
    }
  } catch (error) {
    notes.push(`Ended early: ${message(error)}`);
  } finally {
    await Promise.all(running.map(({ target }) => target.stop()));
  }
  for (const { label, turns } of running) {
    const errors = turns.reduce((sum, each) => sum + each.errors, 0);
    if (errors > 0) notes.push(`${label}: ${number(errors)} ${load.unit}s failed.`);
  }
  const foreign = figure(running.flatMap(({ turns }) => turns.map((each) => each.foreign)));
  if (foreign !== undefined && foreign.median > NOTABLE) notes.push(`Others took ${Math.round(foreign.median * 100)} % of the proxy's processor meanwhile.`);
  return { results: new Map(running.map(({ label, turns }) => [label, turns])), notes };
}

/** Undefined, and a note: it is not installed, or does not start. */
async function startOr(notes: string[], label: string, bed: Bed, peer: Peer, setup: Parameters<Bed['start']>[1]): Promise<Running | undefined> {
  try {
    return await bed.start(peer, setup);
  } catch (error) {
    notes.push(`${label}: left out, ${message(error)}`);
    return undefined;
  }
}

function message(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ').slice(0, 300);
}

async function turn(load: LoadCase, target: Running, bed: Bed, seconds: number): Promise<Turn> {
  const before = { ...cpuOf(target.pid), busy: busyTime(bed.cpus.proxy), at: performance.now() };
  const counts = await load.load(target, seconds, bed.cpus.load);
  if (counts.requests === 0) throw new Error(`${load.name}: no ${load.unit} was answered`);
  const after = { ...cpuOf(target.pid), busy: busyTime(bed.cpus.proxy), at: performance.now() };
  const memory = memoryOf(target.pid);
  const user = after.user - before.user;
  const system = after.system - before.system;
  const steady = load.steady === undefined ? undefined : await client({ port: load.steady.tls === true ? target.httpsPort : target.httpPort, seconds: STEADY_SECONDS, ...load.steady }, bed.cpus.load);
  return {
    perSecond: counts.requests / counts.seconds,
    user: user / counts.requests,
    system: system / counts.requests,
    memory,
    errors: counts.errors + (steady?.errors ?? 0),
    foreign: bed.cpus.proxy === undefined ? 0 : Math.max(0, after.busy - before.busy - user - system) / ((after.at - before.at) * 1000),
    ...(steady === undefined ? {} : { p50: steady.p50, p99: steady.p99 }),
  };
}
