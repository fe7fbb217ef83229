// Fairlead in the cluster, in each of the ways in which it is deployed: every path from a client to a pod.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { echoOf } from './apps.ts';
import type { Echo } from './apps.ts';
import { callGrpc, startGrpcApp } from './grpc.ts';
import { labTest } from './guard.ts';
import type { Host } from './host.ts';
import { BIG_FILE, PAGES, digest } from './pages.ts';
import { startHaproxyBalancer } from './peers/haproxy.ts';
import { setNftBalancer } from './peers/nft-balancer.ts';
import type { Target } from './peers/program.ts';
import { CERTIFICATE, GRPC_PORT, HTTP_NODE_PORT, LOCAL_NODE_PORT, Scene } from './scene.ts';
import { tool } from './tools.ts';

let opened: Promise<Scene> | undefined;

/** Fairlead in a pod on each node, and on the network of node 1. */
function scene(): Promise<Scene> {
  opened ??= (async () => {
    const open = await Scene.open({ dns: true });
    await Promise.all([open.startPods(), open.startHostNetwork(1)]);
    return open;
  })();
  return opened;
}

test.after.always(async () => (await opened)?.close());

/** Asks through Fairlead at `to`, by curl. */
async function ask(from: Host, to: Target, url: string): Promise<Echo> {
  const { stdout, stderr } = await from.curl('--fail', '--connect-to', `::${to.address}:${to.port}`, url);
  if (stdout === '') throw new Error(`${url}: ${stderr}`);
  return echoOf(stdout);
}

async function gather(count: number, one: () => Promise<string>): Promise<Map<string, number>> {
  const seen = new Map<string, number>();
  for (let i = 0; i < count; i += 1) {
    const name = await one();
    seen.set(name, (seen.get(name) ?? 0) + 1);
  }
  return seen;
}

const SAME_AND_OTHER_NODE = [['one.test', 'web1'], ['two.test', 'web3']] as const;

labTest('client, NodePort of either node, Fairlead, pod on the same node and on the other', async (t) => {
  const { cluster } = await scene();
  const replicas = ['fairlead1', 'fairlead2'].map((name) => cluster.pod(name).ipv4);
  for (const node of cluster.nodes) {
    for (const [host, pod] of SAME_AND_OTHER_NODE) {
      // Ten times: kube-proxy takes either replica.
      for (let i = 0; i < 10; i += 1) {
        const { app, peer } = await ask(cluster.client, { address: node.ipv4, port: HTTP_NODE_PORT }, `http://${host}/`);
        t.is(app, pod);
        // The pod is asked by Fairlead's own address: no Service address and no translation in between.
        t.true(replicas.includes(peer), peer);
      }
    }
  }
});

async function throughBalancer(t: ExecutionContext, port: number): Promise<void> {
  const { cluster } = await scene();
  for (const [host, pod] of SAME_AND_OTHER_NODE) {
    const seen = await gather(30, async () => {
      const { app, peer } = await ask(cluster.client, { address: cluster.lb.ipv4, port }, `http://${host}/`);
      t.is(app, pod);
      return peer;
    });
    t.deepEqual([...seen.keys()].toSorted(), ['fairlead1', 'fairlead2'].map((name) => cluster.pod(name).ipv4));
  }
}

labTest('client, load balancer in the kernel, both replicas of Fairlead, pod on the same node and on the other', async (t) => {
  const { cluster } = await scene();
  setNftBalancer(cluster.lb, 80, cluster.nodes.map(({ ipv4 }) => ({ address: ipv4, port: HTTP_NODE_PORT })));
  await throughBalancer(t, 80);
});

labTest('client, HAProxy as load balancer, both replicas of Fairlead, pod on the same node and on the other', async (t) => {
  const { cluster } = await scene();
  await startHaproxyBalancer(cluster.lb, 81, cluster.nodes.map(({ ipv4 }) => ({ address: ipv4, port: HTTP_NODE_PORT })));
  await throughBalancer(t, 81);
}, ['haproxy']);

labTest('a pod reaches Fairlead by its Service name', async (t) => {
  const { cluster } = await scene();
  const { stdout } = await cluster.pod('web4').curl('-H', 'Host: two.test', 'http://fairlead.default/');
  t.is(echoOf(stdout).app, 'web3');
});

labTest('on the host network: routed by host and by path, to the same node and to the other', async (t) => {
  const { cluster } = await scene();
  const to = { address: cluster.node(1).ipv4, port: 80 };
  for (const [host, pod] of SAME_AND_OTHER_NODE) t.like(await ask(cluster.client, to, `http://${host}/x?y=1`), { app: pod, path: '/x?y=1' });
  t.is((await ask(cluster.client, to, 'http://paths.test/one/a')).app, 'web1');
  t.is((await ask(cluster.client, to, 'http://paths.test/two/a')).app, 'web3');
  t.is((await cluster.client.fetch('http://paths.test/', { to })).status, 404);
  t.is((await cluster.client.fetch('http://unknown.test/', { to })).status, 404);
});

labTest('the pods of a Service get the same share', async (t) => {
  const { cluster } = await scene();
  const seen = await gather(40, async () => (await ask(cluster.client, { address: cluster.node(1).ipv4, port: 80 }, 'http://web.test/')).app);
  t.deepEqual([...seen].toSorted(), [['web1', 10], ['web2', 10], ['web3', 10], ['web4', 10]]);
});

labTest('over TLS, HTTP/1.1 and HTTP/2, to the same node and to the other, with the certificate of the Ingress', async (t) => {
  const { cluster } = await scene();
  for (const version of ['1.1', '2']) {
    for (const [host, pod] of [['one-tls.test', 'web1'], ['two-tls.test', 'web3']] as const) {
      const { stdout, stderr } = await cluster.client.curl(`--http${version}`, '--insecure', '--resolve', `${host}:443:${cluster.node(1).ipv4}`, '--write-out', '\n%{http_version} %{certs}', `https://${host}/`);
      const [body = '', ...rest] = stdout.split('\n');
      t.is(stderr, '');
      t.like(echoOf(body), { app: pod });
      t.is(echoOf(body).headers['x-forwarded-proto'], 'https');
      t.is(rest[0]?.split(' ')[0], version);
      t.true(rest.join('\n').includes(CERTIFICATE.chainPem.split('\n')[1] as string));
    }
  }
});

labTest('a WebSocket, to the same node and to the other', async (t) => {
  const { cluster } = await scene();
  for (const [host, pod] of SAME_AND_OTHER_NODE) {
    const socket = await cluster.client.connect(80, cluster.node(1).ipv4);
    const client = new WebSocket(`ws://${host}/socket`, { createConnection: () => socket });
    const answer = await new Promise((resolve, reject) => {
      client.on('open', () => client.send('hello'));
      client.on('message', (message) => resolve(String(message)));
      client.on('error', reject);
    });
    client.close();
    t.is(answer, `${pod}: hello`);
  }
});

labTest('gRPC, unary and streaming, to the same node and to the other, in clear and over TLS', async (t) => {
  const { cluster } = await scene();
  const apps = await Promise.all(['web1', 'web3'].map((pod) => startGrpcApp(cluster.pod(pod), GRPC_PORT)));
  const { ipv4 } = cluster.node(1);
  const counted = ['1', '2', '3', '4', '5'];
  try {
    for (const [host, pod] of [['rpc-one', 'web1'], ['rpc-two', 'web3']] as const) {
      t.deepEqual(await callGrpc(cluster.client, { address: ipv4, port: 80 }, `${host}.test`), { said: `${pod}: hello`, counted });
      t.deepEqual(await callGrpc(cluster.client, { address: ipv4, port: 443 }, `${host}-tls.test`, CERTIFICATE.chainPem), { said: `${pod}: hello`, counted });
    }
  } finally {
    for (const app of apps) app.close();
  }
});

labTest('a body of 1 MB goes through the overlay whole, in both directions, at an MTU of 1450', async (t) => {
  const { cluster } = await scene();
  for (const [host, link] of [[cluster.node(1), 'flannel.1'], [cluster.node(2), 'cni0'], [cluster.pod('web3'), 'eth0']] as const) {
    t.is((JSON.parse(host.must(tool('ip'), ['-j', 'link', 'show', link])) as readonly { readonly mtu: number }[])[0]?.mtu, 1450);
  }
  const to = { address: cluster.node(1).ipv4, port: 80 };
  const big = PAGES.get(BIG_FILE) as Buffer;
  for (const [host] of SAME_AND_OTHER_NODE) {
    t.is(digest((await cluster.client.fetch(`http://${host}${BIG_FILE}`, { to })).body), digest(big));
    t.like(echoOf((await cluster.client.fetch(`http://${host}/upload`, { to, method: 'POST', body: big })).body), { bodyBytes: big.length, bodyDigest: digest(big) });
  }
});

labTest('the pod is told the client\'s own address with externalTrafficPolicy Local and on the host network, and the node\'s with Cluster', async (t) => {
  const { cluster } = await scene();
  const { client } = cluster;
  const told = async (address: string, port: number): Promise<string | undefined> => (await ask(client, { address, port }, 'http://two.test/')).headers['x-forwarded-for'];
  for (const { ipv4 } of cluster.nodes) {
    t.is(await told(ipv4, LOCAL_NODE_PORT), client.ipv4);
    t.not(await told(ipv4, HTTP_NODE_PORT), client.ipv4);
  }
  t.is(await told(cluster.node(1).ipv4, 80), client.ipv4);
});

labTest('the pod is told the client\'s own address behind a load balancer with the PROXY protocol', async (t) => {
  const open = await scene();
  const { client, lb, nodes: [, node] } = open.cluster;
  if (node === undefined) throw new Error('there is no second node');
  await open.startHostNetwork(2, { flags: ['--use-proxy-protocol', '--proxy-protocol-from', `${lb.ipv4}/32`] });
  await startHaproxyBalancer(lb, 82, [{ address: node.ipv4, port: 80 }], true);
  const throughBalancer = await ask(client, { address: lb.ipv4, port: 82 }, 'http://one.test/');
  t.is(throughBalancer.headers['x-forwarded-for'], client.ipv4);
  // Who is not the load balancer must not say who it is.
  const direct = await ask(client, { address: node.ipv4, port: 80 }, 'http://one.test/');
  t.is(direct.headers['x-forwarded-for'], client.ipv4);
  const claim = `PROXY TCP4 203.0.113.7 ${node.ipv4} 1234 80\r\n`;
  await t.throwsAsync(async () => {
    const { status } = await client.fetch('http://one.test/', { to: { address: node.ipv4, port: 80 }, preface: claim });
    throw new Error(`refused with ${status}`);
  });
}, ['haproxy']);
