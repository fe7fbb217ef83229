// Fairlead never holds back a part of a message until the peer acknowledges the part before: no fetch stops for 40 ms.
import { createServer } from 'node:net';
import test from 'ava';
import { podGateway } from './addresses.ts';
import type { Packet } from './capture.ts';
import { KeptConnection } from './fetch.ts';
import { KeptSession } from './fetch-h2.ts';
import { labTest } from './guard.ts';
import { podLink } from './links.ts';
import { BIG_FILE, PAGE, PAGES, SITE, SMALL_PAGE } from './pages.ts';
import { Scene } from './scene.ts';
import { findStalls } from './stalls.ts';

const ROUNDS = 5;

let opened: Promise<Scene> | undefined;

function scene(): Promise<Scene> {
  opened ??= (async () => {
    const open = await Scene.open();
    await open.startHostNetwork(1);
    return open;
  })();
  return opened;
}

test.after.always(async () => (await opened)?.close());

const NEEDS = ['tcpdump'];

labTest('a server that does hold its body back is found out', async (t) => {
  const { cluster } = await scene();
  const node = cluster.node(1);
  const head = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n';
  // Node's sockets have Nagle's algorithm on unless they are told otherwise.
  const naive = createServer((socket) => socket.on('error', () => undefined).on('data', () => {
    socket.write(head);
    setTimeout(() => socket.write('body'), 2);
  }));
  naive.listen(await node.listen(9100));
  const capture = await node.capture('tcp port 9100');
  const connection = await KeptConnection.open(cluster.client, 'http://naive.test/', { to: { address: node.ipv4, port: 9100 } });
  for (let round = 0; round < ROUNDS; round += 1) await connection.fetch('http://naive.test/');
  connection.close();
  naive.close();
  t.true(findStalls(await capture.stop(), 'eth0', `${node.ipv4}.9100`).length > 0);
}, NEEDS);

labTest('no answer and no upload stops for 40 ms, over HTTP, HTTPS and HTTP/2, on new connections and on kept ones', async (t) => {
  const { cluster } = await scene();
  const { client } = cluster;
  const node = cluster.node(1);
  const pod = cluster.pod('web1').ipv4;
  const capture = await node.capture('tcp port 80 or tcp port 443 or tcp port 8080');
  const paths = [SMALL_PAGE, PAGE, ...SITE, BIG_FILE, '/echo'];
  // A head and a body that leaves later: Fairlead sends what it has, and the rest as it comes.
  const upload = { method: 'POST', body: PAGES.get(PAGE) as Buffer };
  for (const [origin, port] of [['http://one.test', 80], ['https://one-tls.test', 443]] as const) {
    const to = { address: node.ipv4, port };
    for (let round = 0; round < ROUNDS; round += 1) {
      const connection = await KeptConnection.open(client, origin, { to });
      for (const path of paths) t.is((await connection.fetch(origin + path)).status, 200);
      t.is((await connection.fetch(`${origin}/upload`, upload)).status, 200);
      connection.close();
      t.is((await client.fetch(`${origin}${PAGE}`, { to })).status, 200);
    }
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    const session = await KeptSession.open(client, 'https://one-tls.test', { to: { address: node.ipv4, port: 443 } });
    for (const path of paths) t.is((await session.fetch(`https://one-tls.test${path}`)).status, 200);
    session.close();
  }
  const packets = await capture.stop();
  for (const [link, sender] of [['eth0', `${node.ipv4}.80`], ['eth0', `${node.ipv4}.443`], [podLink('web1'), podGateway(1, 'IPv4')]] as const) {
    const sent = packets.filter((packet) => packet.link === link && (packet.from === sender || packet.from.startsWith(`${sender}.`)) && packet.length > 0);
    t.true(sent.length >= ROUNDS * paths.length, `${link}, ${sender}: ${sent.length} packets with data`);
    t.deepEqual(findStalls(packets, link, sender), []);
  }
  t.true(packets.some(({ to }) => to === `${pod}.8080`));
}, NEEDS);

function packet(time: number, from: string, to: string, length: number): Packet {
  return { time, link: 'eth0', direction: 'In', from, to, flags: length > 0 ? 'P.' : '.', length, line: '' };
}

test('data, a late acknowledgement and data at once are a stall; a next request after a late acknowledgement is none', (t) => {
  const [server, client] = ['10.0.0.1.80', '10.0.0.2.5000'];
  const head = packet(1, server, client, 100);
  const late = packet(1.041, client, server, 0);
  t.like(findStalls([head, late, packet(1.0412, server, client, 600)], 'eth0', server), [{ to: client }]);
  t.deepEqual(findStalls([head, late, packet(1.05, client, server, 80), packet(1.0505, server, client, 600)], 'eth0', server), []);
  t.deepEqual(findStalls([head, packet(1.001, client, server, 0), packet(1.0012, server, client, 600)], 'eth0', server), []);
});
