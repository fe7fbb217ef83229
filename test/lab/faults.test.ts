// What happens to networks: pods go, links break and come back, packets are lost. And IPv6.
import test from 'ava';
import { echoOf } from './apps.ts';
import { bracketed } from './addresses.ts';
import { KeptConnection } from './fetch.ts';
import { labTest } from './guard.ts';
import { BIG_FILE, PAGE, PAGES, digest } from './pages.ts';
import { Scene } from './scene.ts';
import type { SceneOptions } from './scene.ts';

const opened: Scene[] = [];

/** Fairlead on the network of node 1, with little patience. */
async function scene(options: SceneOptions = {}): Promise<Scene> {
  const open = await Scene.open(options);
  opened.push(open);
  await open.startHostNetwork(1, { flags: ['--proxy-response-timeout', '1s'] });
  return open;
}

test.afterEach.always(() => {
  for (const open of opened.splice(0)) open.close();
});

interface Asking {
  /** How often each status came; 0: no answer. */
  readonly statuses: Map<number, number>;
  /** Who answered, in order. */
  readonly apps: string[];
  stop(): Promise<void>;
}

/** Clients that ask one request after the other until they are told to stop. */
function keepAsking({ cluster }: Scene, url: string, clients: number): Asking {
  const statuses = new Map<number, number>();
  const apps: string[] = [];
  let stopped = false;
  const to = { address: cluster.node(1).ipv4, port: 80 };
  const ask = async (): Promise<void> => {
    while (!stopped) {
      const answer = await cluster.client.fetch(url, { to, timeoutMs: 15_000 }).catch(() => undefined);
      const status = answer?.status ?? 0;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (answer?.status === 200) apps.push(echoOf(answer.body).app);
    }
  };
  const asking = Promise.all(Array.from({ length: clients }, ask));
  return {
    statuses,
    apps,
    stop: async () => {
      stopped = true;
      await asking;
    },
  };
}

async function until(fits: () => boolean | Promise<boolean>, what: string, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await fits())) {
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

labTest('a pod that is removed loses no request, and gets none any more', async (t) => {
  const open = await scene();
  const [first] = open.apps;
  const asking = keepAsking(open, 'http://web.test/', 2);
  await until(() => open.apps.every(({ requests }) => requests > 3), 'every pod has answered');
  open.setPods('web', ['web2', 'web3', 'web4']);
  await until(() => !asking.apps.slice(-40).includes('web1'), 'web1 is not asked any more');
  first?.close();
  const before = asking.apps.length;
  await until(() => asking.apps.length > before + 40, 'the other pods go on');
  await asking.stop();
  t.deepEqual([...asking.statuses.keys()], [200]);
  t.false(asking.apps.slice(before).includes('web1'));
});

labTest('while a node is cut off the pods of the other one answer, and its own are back when the link is', async (t) => {
  const open = await scene();
  const asking = keepAsking(open, 'http://web.test/', 6);
  const answersOf = (name: string): number => asking.apps.filter((app) => app === name).length;
  await until(() => open.apps.every(({ requests }) => requests > 10), 'every pod has answered');
  open.cluster.cutLink(2);
  const atCut = asking.apps.length;
  await new Promise((resolve) => setTimeout(resolve, 2500));
  t.true(asking.apps.slice(atCut + 6).every((app) => app === 'web1' || app === 'web2'));
  open.cluster.restoreLink(2);
  const [web3, web4] = [answersOf('web3'), answersOf('web4')];
  await until(() => answersOf('web3') > web3 && answersOf('web4') > web4, 'the pods of node 2 answer again', 30_000);
  await asking.stop();
  t.is(asking.statuses.get(0), undefined);
  // Only what was sent to a pod of node 2 on a connection from before the cut could not be answered: one for each client and pod.
  t.true((asking.statuses.get(504) ?? 0) <= 12, JSON.stringify([...asking.statuses]));
  t.deepEqual([...asking.statuses.keys()].filter((status) => status !== 200 && status !== 504), []);
});

labTest('with 5 % of all packets lost every answer is whole', async (t) => {
  const open = await scene();
  const { client } = open.cluster;
  const to = { address: open.cluster.node(1).ipv4, port: 80 };
  // Opened before: a handshake that loses two packets takes longer than the lab waits for one.
  const connections = await Promise.all(Array.from({ length: 10 }, () => KeptConnection.open(client, 'http://web.test/', { to })));
  open.cluster.losePackets(5);
  const answers = await Promise.all(connections.map(async (connection) => {
    const digests = [];
    for (let i = 0; i < 5; i += 1) digests.push(digest((await connection.fetch(`http://web.test${PAGE}`)).body));
    connection.close();
    return digests;
  }));
  open.cluster.losePackets(0);
  t.deepEqual(new Set(answers.flat()), new Set([digest(PAGES.get(PAGE) as Buffer)]));
});

labTest('IPv6: client, Fairlead on the host network, pods on the same node and on the other', async (t) => {
  const open = await scene({ ipv6: true });
  const { cluster } = open;
  const to = { address: cluster.node(1).ipv6, port: 80 };
  for (const [host, pod] of [['one.test', 'web1'], ['two.test', 'web3']] as const) {
    const { app, headers } = echoOf((await cluster.client.fetch(`http://${host}/`, { to })).body);
    t.is(app, pod);
    t.is(headers['x-forwarded-for'], cluster.client.ipv6);
    t.is(digest((await cluster.client.fetch(`http://${host}${BIG_FILE}`, { to })).body), digest(PAGES.get(BIG_FILE) as Buffer));
  }
});

labTest('IPv6: NodePort, Fairlead in a pod, pods on the same node and on the other', async (t) => {
  const open = await Scene.open({ ipv6: true });
  opened.push(open);
  await open.startPods();
  const { cluster } = open;
  for (const node of cluster.nodes) {
    const { stdout, stderr } = await cluster.client.curl('-H', 'Host: two.test', `http://${bracketed(node.ipv6)}:30080/`);
    t.is(stdout === '' ? stderr : echoOf(stdout).app, 'web3');
  }
});
