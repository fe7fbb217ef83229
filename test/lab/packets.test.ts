// The figures of the project's aim: how many packets one fetch costs by way of Fairlead, beside what it costs with nginx.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { labTest } from './guard.ts';
import { podLink } from './links.ts';
import { PacketBed, STATES } from './packet-bed.ts';
import type { BedOptions, Case, Figure, State } from './packet-bed.ts';
import { spreadOf } from './spread.ts';
import type { Spread } from './spread.ts';

const RUNS = 8;
/** A delayed acknowledgement or Nagle's algorithm would stop a fetch for 40 ms. */
const STALL_MS = 40;

type Point = 'node' | 'client' | 'upstream' | 'overlay' | 'milliseconds';
const POINTS: readonly Point[] = ['node', 'client', 'upstream', 'overlay'];

const beds = new Map<string, Promise<PacketBed>>();

function bedOf(options: BedOptions): Promise<PacketBed> {
  const key = `${options.segments} ${options.appNode}`;
  const bed = beds.get(key) ?? PacketBed.open(options);
  beds.set(key, bed);
  return bed;
}

test.after.always(async () => {
  for (const bed of beds.values()) (await bed).close();
});

async function figures(bed: PacketBed, one: Case): Promise<Record<Point, Spread>> {
  const all: Figure[] = [];
  for (let run = 0; run < RUNS; run += 1) all.push(await bed.measure(one));
  const spread = (point: Point): Spread => spreadOf(all.map((figure) => figure[point]));
  return { node: spread('node'), client: spread('client'), upstream: spread('upstream'), overlay: spread('overlay'), milliseconds: spread('milliseconds') };
}

async function smallPage(t: ExecutionContext, segments: 'one' | 'two', atMost: Partial<Record<State, number>>): Promise<void> {
  const bed = await bedOf({ segments, appNode: 1, proxies: ['fairlead', 'nginx'] });
  for (const state of STATES) {
    const limit = atMost[state];
    if (limit === undefined) continue;
    const { node, milliseconds } = await figures(bed, { proxy: 'fairlead', fetch: 'small', state, protocol: 'http' });
    t.log(`${state}: ${node.median} (${node.min} to ${node.max}) packets, ${milliseconds.median.toFixed(1)} ms`);
    t.true(node.median <= limit, `${state}: ${node.median} packets, at most ${limit} allowed`);
    t.true(milliseconds.median < STALL_MS, `${state}: ${milliseconds.median} ms`);
  }
}

labTest('612 bytes cost at most 28 packets on the node, 20 with the pod\'s connection open, 13 with the client\'s too', (t) => smallPage(t, 'two', { cold: 28, warm: 20, open: 13 }), ['nginx']);
labTest('from an application that answers in one segment, at most 16 and 9', (t) => smallPage(t, 'one', { warm: 16, open: 9 }), ['nginx']);

/** With four files on a connection, acknowledgements ride on the next request or do not, by chance. */
const BY_CHANCE: Readonly<Record<Case['fetch'], number>> = { small: 0, page: 0, site: 2 };

async function notMoreThanNginx(t: ExecutionContext, appNode: 1 | 2, fetch: Case['fetch']): Promise<void> {
  const bed = await bedOf({ segments: 'two', appNode, proxies: ['fairlead', 'nginx'] });
  for (const state of STATES) {
    const nginx = await figures(bed, { proxy: 'nginx', fetch, state, protocol: 'http' });
    const fairlead = await figures(bed, { proxy: 'fairlead', fetch, state, protocol: 'http' });
    for (const point of POINTS) {
      t.log(`${state}, ${point}: ${fairlead[point].median} (${fairlead[point].min} to ${fairlead[point].max}), nginx ${nginx[point].median} (${nginx[point].min} to ${nginx[point].max})`);
      t.true(fairlead[point].median <= nginx[point].max + BY_CHANCE[fetch], `${state}, ${point}: ${fairlead[point].median}, nginx at most ${nginx[point].max}`);
    }
  }
}

for (const fetch of ['small', 'page', 'site'] as const) {
  labTest(`${fetch}, pod on the same node: at no point more packets than nginx in the spread of its runs`, (t) => notMoreThanNginx(t, 1, fetch), ['nginx']);
}
labTest('page, pod on the other node: at no point more packets than nginx in the spread of its runs', (t) => notMoreThanNginx(t, 2, 'page'), ['nginx']);

labTest('an answer that comes from the pod in two segments leaves Fairlead in one', async (t) => {
  const bed = await bedOf({ segments: 'two', appNode: 1, proxies: ['fairlead', 'nginx'] });
  const { client, nodes: [node] } = bed.cluster;
  if (node === undefined) throw new Error('there is no node');
  const fromFairlead: number[] = [];
  for (let run = 0; run < 3; run += 1) {
    const capture = await node.capture('tcp port 80 or tcp port 8080');
    await bed.measure({ proxy: 'fairlead', fetch: 'small', state: 'warm', protocol: 'http' });
    const packets = await capture.stop();
    // `warm` is two fetches: one that is not counted, and one that is.
    const answers = packets.filter(({ link, from, to, length }) => link === 'eth0' && from === `${node.ipv4}.80` && to.startsWith(client.ipv4) && length > 0);
    const fromPod = packets.filter(({ link, from, length }) => link === podLink('app') && from.endsWith('.8080') && length > 0);
    t.true(fromPod.length >= 2 * 2, `${fromPod.length} segments from the pod`);
    fromFairlead.push(answers.length / 2);
  }
  t.is(spreadOf(fromFairlead).median, 1);
}, ['nginx', 'tcpdump']);
