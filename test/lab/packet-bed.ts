// The bed of the packet counts: one application pod, and in front of it each proxy in its usual place. All proxies run with
// one worker, so that "warm" means the same for each.
//
//   proxy pod   client → NodePort of node 1 → nginx in a pod → ClusterIP → pod     a cluster without an ingress controller
//   nginx, haproxy, fairlead   client → host network of node 1 → pod
import { App } from './apps.ts';
import { createCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { total } from './counters.ts';
import type { Counts } from './counters.ts';
import { KeptConnection } from './fetch.ts';
import { KeptSession } from './fetch-h2.ts';
import type { Host } from './host.ts';
import { podLink } from './links.ts';
import { Manifests } from './objects.ts';
import { PAGE, SITE, SMALL_PAGE } from './pages.ts';
import { Fairlead } from './peers/fairlead.ts';
import { startHaproxyIngress } from './peers/haproxy.ts';
import { startNginxIngress, startNginxPod } from './peers/nginx.ts';
import type { PeerOptions } from './peers/program.ts';
import { CERTIFICATE } from './scene.ts';

export const PROXIES = ['proxy pod', 'nginx', 'haproxy', 'fairlead'] as const;
export type Proxy = (typeof PROXIES)[number];

/** What is fetched: 612 bytes, 10 KB, or a page and the three files that belong to it, one after the other. */
export const FETCHES = ['small', 'page', 'site'] as const;
export type Fetch = (typeof FETCHES)[number];

/** `cold`: no connection is open; `warm`: the proxy's connection to the pod is; `open`: the client's to the proxy is too. */
export const STATES = ['cold', 'warm', 'open'] as const;
export type State = (typeof STATES)[number];

/** Between client and proxy: HTTP/1.1 in clear, the same over TLS, or HTTP/2 over TLS. */
export type Protocol = 'http' | 'https' | 'h2';

export interface Case {
  readonly proxy: Proxy;
  readonly fetch: Fetch;
  readonly protocol: Protocol;
}

/** Where packets are counted. `node`: on all links of node 1, as `tcpdump -i any` there: a packet counts once on each link that it
 *  passes. `client`, `pod`: on the client's link (node 1's eth0) and on the pod's (the node's end of its pair): no packet twice.
 *  `overlay`: VXLAN packets between the nodes, which carry what is counted under `node` too. */
export const POINTS = ['node', 'client', 'pod', 'overlay'] as const;
export type Point = (typeof POINTS)[number];

/** TCP packets (on the overlay: those of VXLAN) and the IP bytes in them. */
export interface Amount {
  readonly packets: number;
  readonly bytes: number;
}

/** One fetch. */
export type Figure = Readonly<Record<Point, Amount>> & { readonly milliseconds: number };

const PATHS: Readonly<Record<Fetch, readonly string[]>> = { small: [SMALL_PAGE], page: [PAGE], site: SITE };
/** Two names, because a host with a certificate is redirected from HTTP to HTTPS. */
const PLAIN_HOST = 'plain.test';
const SECURE_HOST = 'tls.test';
const PORTS: Readonly<Record<Proxy, { readonly plain: number; readonly secure: number }>> = {
  'proxy pod': { plain: 30090, secure: 30490 },
  nginx: { plain: 81, secure: 444 },
  haproxy: { plain: 82, secure: 445 },
  fairlead: { plain: 80, secure: 443 },
};

export interface BedOptions {
  /** In how many segments the application sends head and body. */
  readonly segments: 'one' | 'two';
  /** Node of the application; the proxies are on node 1. */
  readonly appNode: 1 | 2;
  readonly proxies: readonly Proxy[];
}

export class PacketBed {
  readonly cluster: Cluster;
  readonly #app: App;
  readonly #appNode: number;

  private constructor(cluster: Cluster, app: App, appNode: number) {
    this.cluster = cluster;
    this.#app = app;
    this.#appNode = appNode;
  }

  static async open({ segments, appNode, proxies }: BedOptions): Promise<PacketBed> {
    const cluster = await createCluster({
      pods: [{ name: 'app', node: appNode }, { name: 'proxy', node: 1 }],
      services: [
        { name: 'app', clusterIP: '10.96.0.80', port: 80, targetPort: 8080, pods: ['app'] },
        { name: 'proxy', clusterIP: '10.96.0.90', port: 80, targetPort: 80, nodePort: PORTS['proxy pod'].plain, pods: ['proxy'] },
        { name: 'proxy-tls', clusterIP: '10.96.0.91', port: 443, targetPort: 443, nodePort: PORTS['proxy pod'].secure, pods: ['proxy'] },
      ],
    });
    const app = await App.start(cluster.pod('app'), { segments });
    const node = cluster.node(1);
    const options = (proxy: Proxy): PeerOptions => ({ port: PORTS[proxy].plain, upstream: { address: cluster.pod('app').ipv4, port: 8080 }, tls: { port: PORTS[proxy].secure, ...CERTIFICATE } });
    const starts: Readonly<Record<Proxy, () => Promise<unknown>>> = {
      'proxy pod': () => startNginxPod(cluster.pod('proxy'), { port: 80, upstream: { address: '10.96.0.80', port: 80 }, tls: { ...CERTIFICATE, port: 443 } }),
      nginx: () => startNginxIngress(node, options('nginx')),
      haproxy: () => startHaproxyIngress(node, options('haproxy')),
      fairlead: () => {
        const manifests = new Manifests(`/run/lab/${cluster.prefix}manifests`);
        manifests.write(cluster.services(), [{ name: 'plain', host: PLAIN_HOST, paths: { '/': 'app' } }, { name: 'secure', host: SECURE_HOST, paths: { '/': 'app' }, certificate: CERTIFICATE }]);
        return Fairlead.start(node, { manifests: manifests.folder, httpPort: PORTS.fairlead.plain, httpsPort: PORTS.fairlead.secure, flags: ['--access-log', 'off'] });
      },
    };
    for (const proxy of proxies) await starts[proxy]();
    await Promise.all(cluster.nodes.map((host) => host.startCount()));
    return new PacketBed(cluster, app, appNode);
  }

  /** One fetch in each state, in the order of STATES: each leaves the connections as the next one wants them. */
  async measure(one: Case): Promise<Record<State, Figure>> {
    const { client } = this.cluster;
    const secure = one.protocol !== 'http';
    const port = secure ? PORTS[one.proxy].secure : PORTS[one.proxy].plain;
    const node = this.cluster.node(1);
    const to = { address: node.ipv4, port };
    const hostname = secure ? SECURE_HOST : PLAIN_HOST;
    const urls = PATHS[one.fetch].map((path) => `${secure ? 'https' : 'http'}://${hostname}:${port}${path}`);
    const [first = ''] = urls;
    const curl = async (): Promise<number> => {
      const args = [one.protocol === 'h2' ? '--http2' : '--http1.1', '--insecure', '--resolve', `${hostname}:${port}:${to.address}`, '--write-out', '%{http_code} %{time_total}\n'];
      const { code, stdout, stderr } = await client.curl(...args, ...urls.flatMap((url) => ['-o', '/dev/null', url]));
      const answers = stdout.trim().split('\n').map((line) => line.split(' ').map(Number));
      if (code !== 0 || answers.length !== urls.length || answers.some(([status]) => status !== 200)) throw new Error(`${one.proxy}: ${stderr}${stdout}`);
      return answers.reduce((sum, [, seconds]) => sum + (seconds ?? 0) * 1000, 0);
    };
    this.#app.closeIdle();
    await node.quiet();
    const cold = await this.#count(curl);
    const warm = await this.#count(curl);
    const connection = await (one.protocol === 'h2' ? KeptSession : KeptConnection).open(client, first, { to });
    try {
      // The first request, which is not counted, brings the connection to where a browser's is.
      await connection.fetch(first);
      await node.quiet();
      const open = await this.#count(async () => {
        const start = performance.now();
        for (const url of urls) {
          const { status } = await connection.fetch(url);
          if (status !== 200) throw new Error(`${one.proxy}: status ${status}`);
        }
        return performance.now() - start;
      });
      return { cold, warm, open };
    } finally {
      connection.close();
    }
  }

  close(): void {
    this.#app.close();
    this.cluster.dispose();
  }

  /** Begins in quiet and ends in it. Everything passes node 1: when it is quiet, all is. */
  async #count(fetch: () => Promise<number>): Promise<Figure> {
    const [node, other] = this.cluster.nodes as readonly [Host, Host];
    const app = this.#appNode === 1 ? node : other;
    for (const host of new Set([node, app])) host.takeCount();
    const milliseconds = await fetch();
    await node.quiet();
    const counts = node.takeCount();
    const podLinks = app === node ? counts : app.takeCount();
    const all = total(counts);
    const tcp = (on: Counts, link: string): Amount => {
      const tally = on.get(link);
      if (tally === undefined) throw new Error(`nothing was counted on ${link}`);
      return { packets: tally.tcp, bytes: tally.tcpBytes };
    };
    return {
      node: { packets: all.tcp, bytes: all.tcpBytes },
      client: tcp(counts, 'eth0'),
      pod: tcp(podLinks, podLink('app')),
      overlay: { packets: all.overlay, bytes: all.overlayBytes },
      milliseconds,
    };
  }
}
