// Counts packets and bytes on every link of a namespace with counters of the nft family netdev. They see what `tcpdump -i any`
// sees (a forwarded packet counts on each link that it passes), lose nothing, and need no time to start.
import { spawnSync } from 'node:child_process';
import { tool } from './tools.ts';

/** `tcp`: TCP packets and their IP bytes. `overlay`: VXLAN packets, which carry TCP packets that are counted inside too. */
export interface Tally {
  readonly tcp: number;
  readonly tcpBytes: number;
  readonly overlay: number;
  readonly overlayBytes: number;
}

/** By name of the link, both directions together. */
export type Counts = ReadonlyMap<string, Tally>;

const NOTHING: Tally = { tcp: 0, tcpBytes: 0, overlay: 0, overlayBytes: 0 };
const TABLE = 'fairlead-count';
const ETHERNET_HEADER = 14;
/** Longer than a delayed acknowledgement (40 ms), which may be the last packet. */
const QUIET_MS = 60;

const HOOKS = [
  { name: 'in', hook: 'ingress' },
  { name: 'out', hook: 'egress' },
] as const;

/** Begins to count on these links. */
export function installCounters(namespacePath: string, links: readonly string[]): void {
  const counters: string[] = [];
  const chains: string[] = [];
  links.forEach((link, index) => {
    for (const { name, hook } of HOOKS) {
      const id = `l${index}-${name}`;
      counters.push(`counter ${id}-tcp {}`, `counter ${id}-overlay {}`);
      chains.push(`chain ${id} {\ntype filter hook ${hook} device "${link}" priority 0\nmeta l4proto tcp counter name "${id}-tcp"\nudp dport 8472 counter name "${id}-overlay"\n}`);
    }
  });
  nft(namespacePath, `table netdev ${TABLE} {\n${[...counters, ...chains].join('\n')}\n}\n`, []);
}

/** What was counted since the start or the last time. */
export function takeCounters(namespacePath: string, links: readonly string[]): Counts {
  const { nftables } = JSON.parse(nft(namespacePath, '', ['-j', 'reset', 'counters', 'table', 'netdev', TABLE])) as { nftables: readonly { readonly counter?: NamedCounter }[] };
  const byName = new Map(nftables.flatMap(({ counter }) => (counter === undefined ? [] : [[counter.name, counter] as const])));
  return new Map(links.map((link, index) => {
    let tally = NOTHING;
    for (const { name } of HOOKS) {
      // On the way in the Ethernet header has been taken off before the packet is counted.
      const header = name === 'out' ? ETHERNET_HEADER : 0;
      const tcp = byName.get(`l${index}-${name}-tcp`);
      const overlay = byName.get(`l${index}-${name}-overlay`);
      tally = plus(tally, {
        tcp: tcp?.packets ?? 0,
        tcpBytes: (tcp?.bytes ?? 0) - header * (tcp?.packets ?? 0),
        overlay: overlay?.packets ?? 0,
        overlayBytes: (overlay?.bytes ?? 0) - header * (overlay?.packets ?? 0),
      });
    }
    return [link, tally];
  }));
}

interface NamedCounter {
  readonly name: string;
  readonly packets: number;
  readonly bytes: number;
}

/** Resolves when what `seen` gives has not changed for longer than any delayed acknowledgement takes. */
export async function quiet(seen: () => string): Promise<void> {
  let before = seen();
  let since = performance.now();
  while (performance.now() - since < QUIET_MS) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const now = seen();
    if (now !== before) {
      before = now;
      since = performance.now();
    }
  }
}

/** The sum over links whose name passes `wanted`. */
export function total(counts: Counts, wanted: (link: string) => boolean = () => true): Tally {
  let sum = NOTHING;
  for (const [link, tally] of counts) if (wanted(link)) sum = plus(sum, tally);
  return sum;
}

function plus(a: Tally, b: Tally): Tally {
  return { tcp: a.tcp + b.tcp, tcpBytes: a.tcpBytes + b.tcpBytes, overlay: a.overlay + b.overlay, overlayBytes: a.overlayBytes + b.overlayBytes };
}

function nft(namespacePath: string, input: string, args: readonly string[]): string {
  const result = spawnSync(tool('nsenter'), [`--net=${namespacePath}`, tool('nft'), ...(args.length === 0 ? ['-f', '-'] : args)], { input, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`nft: ${result.stderr}\n${input}`);
  return result.stdout;
}
