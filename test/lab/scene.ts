// The cluster that the lab's tests and `npm run lab` look at: an application on two nodes, its Services and Ingresses, and
// Fairlead wherever it is wanted.
//
//   Service web   web1 (node 1), web2 (node 1), web3 (node 2), web4 (node 2)
//   Service one   web1        Service two   web3            for paths that must stay on a node, or leave it
//   rpc-one, rpc-two   the same pods, for gRPC
//   hosts         web.test → web    one.test → one    two.test → two    paths.test /one → one, /two → two
//                 rpc-one.test, rpc-two.test → gRPC    tls.test, one-tls.test, two-tls.test, rpc-one-tls.test, rpc-two-tls.test: over TLS
//   fairlead      fairlead1 (node 1), fairlead2 (node 2), behind NodePort 30080 (Cluster) and 30081 (Local)
import { selfSigned } from '../../certs/self-signed.ts';
import { App } from './apps.ts';
import { createCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import type { Host } from './host.ts';
import { Manifests } from './objects.ts';
import type { IngressSpec } from './objects.ts';
import { Fairlead } from './peers/fairlead.ts';
import type { FairleadOptions } from './peers/fairlead.ts';
import type { ClusterSpec, PodSpec, ServiceSpec } from './spec.ts';

export const HTTP_NODE_PORT = 30080;
export const LOCAL_NODE_PORT = 30081;
export const PROXY_NODE_PORT = 30090;
/** Where a gRPC application listens, if a test starts one. */
export const GRPC_PORT = 9090;
const HTTPS_NODE_PORT = 30443;

const APP_PODS: readonly PodSpec[] = [{ name: 'web1', node: 1 }, { name: 'web2', node: 1 }, { name: 'web3', node: 2 }, { name: 'web4', node: 2 }];
/** For a reverse proxy that is no ingress. */
const PROXY_POD: PodSpec = { name: 'proxy', node: 1 };
const FAIRLEAD_PODS: readonly PodSpec[] = [{ name: 'fairlead1', node: 1 }, { name: 'fairlead2', node: 2 }];

export interface SceneOptions extends Pick<ClusterSpec, 'rules' | 'ipv6' | 'dns'> {
  /** One segment or two for head and body; two if absent. */
  readonly segments?: 'one' | 'two';
  readonly ingresses?: readonly IngressSpec[];
}

let scenes = 0;

export class Scene {
  readonly cluster: Cluster;
  readonly manifests: Manifests;
  readonly apps: readonly App[];
  readonly #ingresses: readonly IngressSpec[];
  readonly #fairleads: Fairlead[] = [];

  private constructor(cluster: Cluster, apps: readonly App[], ingresses: readonly IngressSpec[]) {
    scenes += 1;
    this.cluster = cluster;
    this.apps = apps;
    this.#ingresses = ingresses;
    this.manifests = new Manifests(`/run/lab/${process.pid}-${scenes}-manifests`);
    this.manifests.write(cluster.services(), ingresses);
  }

  /** The cluster with its applications, without Fairlead. */
  static async open(options: SceneOptions = {}): Promise<Scene> {
    const { segments = 'two', ingresses = INGRESSES, ...spec } = options;
    const cluster = await createCluster({ ...spec, pods: [...APP_PODS, ...FAIRLEAD_PODS, PROXY_POD], services: sceneServices(spec.ipv6 === true) });
    const address = spec.ipv6 === true ? '::' : '0.0.0.0';
    const apps = await Promise.all(APP_PODS.map(({ name }) => App.start(cluster.pod(name), { segments, address })));
    return new Scene(cluster, apps, ingresses);
  }

  /** Fairlead in its two pods. */
  async startPods(options: Partial<FairleadOptions> = {}): Promise<readonly Fairlead[]> {
    return Promise.all(FAIRLEAD_PODS.map(({ name }) => this.start(this.cluster.pod(name), options)));
  }

  /** Fairlead on a node's own network, at ports 80 and 443. */
  startHostNetwork(node: number, options: Partial<FairleadOptions> = {}): Promise<Fairlead> {
    return this.start(this.cluster.node(node), { httpPort: 80, httpsPort: 443, ...options });
  }

  async start(host: Host, options: Partial<FairleadOptions>): Promise<Fairlead> {
    const fairlead = await Fairlead.start(host, { manifests: this.manifests.folder, ...options });
    this.#fairleads.push(fairlead);
    return fairlead;
  }

  /** Gives a Service other pods: kube-proxy's rules at once, and the EndpointSlice that Fairlead reads. */
  setPods(service: string, pods: readonly string[]): void {
    const services = sceneServices(this.cluster.services().some(({ family }) => family === 'IPv6'));
    this.cluster.setServices(services.map((spec) => (spec.name === service ? { ...spec, pods } : spec)));
    this.manifests.write(this.cluster.services(), this.#ingresses);
  }

  close(): void {
    for (const fairlead of this.#fairleads) fairlead.kill();
    for (const app of this.apps) app.close();
    this.cluster.dispose();
  }
}

function sceneServices(ipv6: boolean): ServiceSpec[] {
  const all = APP_PODS.map(({ name }) => name);
  const fairlead = { pods: FAIRLEAD_PODS.map(({ name }) => name), port: 80, targetPort: 8080 };
  const services: ServiceSpec[] = [
    { name: 'web', clusterIP: '10.96.0.80', port: 80, targetPort: 8080, nodePort: 30800, pods: all },
    { name: 'one', clusterIP: '10.96.0.81', port: 80, targetPort: 8080, pods: ['web1'] },
    { name: 'two', clusterIP: '10.96.0.82', port: 80, targetPort: 8080, pods: ['web3'] },
    { name: 'rpc-one', clusterIP: '10.96.0.85', port: GRPC_PORT, targetPort: GRPC_PORT, pods: ['web1'] },
    { name: 'rpc-two', clusterIP: '10.96.0.86', port: GRPC_PORT, targetPort: GRPC_PORT, pods: ['web3'] },
    { name: 'empty', clusterIP: '10.96.0.83', port: 80, targetPort: 8080, nodePort: 30803, pods: [] },
    { name: 'proxy', clusterIP: '10.96.0.84', port: 80, targetPort: 80, nodePort: PROXY_NODE_PORT, pods: [PROXY_POD.name] },
    { name: 'fairlead', clusterIP: '10.96.0.90', nodePort: HTTP_NODE_PORT, ...fairlead },
    { name: 'fairlead-local', clusterIP: '10.96.0.91', nodePort: LOCAL_NODE_PORT, externalTrafficPolicy: 'Local', ...fairlead },
    { name: 'fairlead-tls', clusterIP: '10.96.0.92', nodePort: HTTPS_NODE_PORT, ...fairlead, port: 443, targetPort: 8443 },
  ];
  return ipv6 ? services.map((service, index) => ({ ...service, family: 'IPv6', clusterIP: `fd00:10:96::${index + 1}` })) : services;
}

export const CERTIFICATE = selfSigned({ hostnames: ['tls.test', 'one-tls.test', 'two-tls.test', 'rpc-one-tls.test', 'rpc-two-tls.test'] });

const GRPC = { 'nginx.ingress.kubernetes.io/backend-protocol': 'GRPC' };

const INGRESSES: readonly IngressSpec[] = [
  { name: 'web', host: 'web.test', paths: { '/': 'web' } },
  { name: 'one', host: 'one.test', paths: { '/': 'one' } },
  { name: 'two', host: 'two.test', paths: { '/': 'two' } },
  { name: 'paths', host: 'paths.test', paths: { '/one': 'one', '/two': 'two' } },
  { name: 'tls', host: 'tls.test', paths: { '/': 'web' }, certificate: CERTIFICATE },
  { name: 'one-tls', host: 'one-tls.test', paths: { '/': 'one' }, certificate: CERTIFICATE },
  { name: 'two-tls', host: 'two-tls.test', paths: { '/': 'two' }, certificate: CERTIFICATE },
  { name: 'rpc-one', host: 'rpc-one.test', paths: { '/': 'rpc-one' }, annotations: GRPC },
  { name: 'rpc-two', host: 'rpc-two.test', paths: { '/': 'rpc-two' }, annotations: GRPC },
  { name: 'rpc-one-tls', host: 'rpc-one-tls.test', paths: { '/': 'rpc-one' }, annotations: GRPC, certificate: CERTIFICATE },
  { name: 'rpc-two-tls', host: 'rpc-two-tls.test', paths: { '/': 'rpc-two' }, annotations: GRPC, certificate: CERTIFICATE },
];
