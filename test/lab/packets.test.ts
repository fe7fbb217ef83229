// The figures of the project's aim: how many packets one fetch costs by way of Fairlead, beside what it costs with nginx.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { labTest } from './guard.ts';
import { podLink } from './links.ts';
import { POINTS, PacketBed, STATES } from './packet-bed.ts';
import type { BedOptions, Fetch, Figure, Point, Proxy, State } from './packet-bed.ts';
import { spreadOf } from './spread.ts';
import type { Spread } from './spread.ts';

const RUNS = 8;
/** Of one measurement: cold, warm, and with an open connection the one that is not counted and the one that is. */
const FETCHES_OF_ONE = 4;
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

/** By state, what each of the runs had. Proxies take turns, so that whatever else the machine does meets all of them. */
async function figures(bed: PacketBed, proxies: readonly Proxy[], fetch: Fetch): Promise<(proxy: Proxy, state: State) => readonly Figure[]> {
  const all = new Map<Proxy, Record<State, Figure>[]>(proxies.map((proxy) => [proxy, []]));
  for (let run = 0; run < RUNS; run += 1) {
    for (const proxy of proxies) all.get(proxy)?.push(await bed.measure({ proxy, fetch, protocol: 'http' }));
  }
  return (proxy, state) => (all.get(proxy) ?? []).map((figure) => figure[state]);
}

function packets(figures: readonly Figure[], point: Point): Spread {
  return spreadOf(figures.map((figure) => figure[point].packets));
}

async function smallPage(t: ExecutionContext, segments: 'one' | 'two', atMost: Partial<Record<State, number>>): Promise<void> {
  const bed = await bedOf({ segments, appNode: 1, proxies: ['fairlead', 'nginx'] });
  const measured = await figures(bed, ['fairlead'], 'small');
  for (const state of STATES) {
    const limit = atMost[state];
    if (limit === undefined) continue;
    const { median, min, max } = packets(measured('fairlead', state), 'node');
    t.log(`${state}: ${median} (${min} to ${max}) packets`);
    t.true(median <= limit, `${state}: ${median} packets, at most ${limit} allowed`);
  }
}

labTest('612 bytes cost at most 28 packets on the node, 20 with the pod\'s connection open, 13 with the client\'s too', (t) => smallPage(t, 'two', { cold: 28, warm: 20, open: 13 }), ['nginx']);
labTest('from an application that answers in one segment, at most 16 and 9', (t) => smallPage(t, 'one', { warm: 16, open: 9 }), ['nginx']);

/** With four files on a connection, acknowledgements ride on the next request or do not, by chance. */
const BY_CHANCE: Readonly<Record<Fetch, number>> = { small: 0, page: 0, site: 2 };

async function notMoreThanNginx(t: ExecutionContext, appNode: 1 | 2, fetch: Fetch): Promise<void> {
  const bed = await bedOf({ segments: 'two', appNode, proxies: ['fairlead', 'nginx'] });
  const measured = await figures(bed, ['fairlead', 'nginx'], fetch);
  for (const state of STATES) {
    for (const point of POINTS) {
      const [fairlead, nginx] = [packets(measured('fairlead', state), point), packets(measured('nginx', state), point)];
      t.log(`${state}, ${point}: ${fairlead.median} (${fairlead.min} to ${fairlead.max}), nginx ${nginx.median} (${nginx.min} to ${nginx.max})`);
      t.true(fairlead.median <= nginx.max + BY_CHANCE[fetch], `${state}, ${point}: ${fairlead.median}, nginx at most ${nginx.max}`);
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
    await bed.measure({ proxy: 'fairlead', fetch: 'small', protocol: 'http' });
    const captured = await capture.stop();
    const answers = captured.filter(({ link, from, to, length }) => link === 'eth0' && from === `${node.ipv4}.80` && to.startsWith(client.ipv4) && length > 0);
    const fromPod = captured.filter(({ link, from, length }) => link === podLink('app') && from.endsWith('.8080') && length > 0);
    t.true(fromPod.length >= 2 * FETCHES_OF_ONE, `${fromPod.length} segments from the pod`);
    fromFairlead.push(answers.length / FETCHES_OF_ONE);
  }
  t.is(spreadOf(fromFairlead).median, 1);
}, ['nginx', 'tcpdump']);
