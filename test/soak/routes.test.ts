// Routes that change under mixed load: nobody loses a request, a message or a stream because of somebody else's route, and a
// route that flips between two applications never mixes them. Numbers are those of the list in test/soak/README.md.
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { startBackend } from '../support/fairlead-backend.ts';
import { eventually, get } from '../support/fairlead-http.ts';
import { documents, endpoints, ingress, service } from '../support/fairlead-manifests.ts';
import { FULL, sequence, startLoadSite } from '../support/load-site.ts';
import { MixedLoad } from '../support/mixed-load.ts';
import { OpenStreams } from '../support/open-streams.ts';

/** For how long the streams of number 3 are open, and routes change at the rate of number 1, in full length. */
const MINUTES = Number(process.env['SOAK_MINUTES'] ?? 10);
const SIZE = FULL
  ? { changes: 10_000, seconds: 60, rate: 500, sockets: 1_000, chats: 200, longSeconds: (MINUTES - 1) * 60, flips: 1_000 }
  : { changes: 200, seconds: 3, rate: 200, sockets: 30, chats: 20, longSeconds: 0, flips: 50 };

test.serial(`1 and 3: ${SIZE.changes} random changes of other routes in ${SIZE.seconds} s lose nothing and close no stream`, async (t) => {
  t.timeout((SIZE.longSeconds + 600) * 1000);
  const { fairlead } = await startLoadSite(t);
  const load = await MixedLoad.start(t, { port: fairlead.http, rate: SIZE.rate });
  const streams = await OpenStreams.open(t, { port: fairlead.http, sockets: SIZE.sockets, chats: SIZE.chats, rate: FULL ? 300 : 100 });
  await pause(FULL ? 10_000 : 500);
  load.lap();
  await pause(FULL ? 20_000 : 1_500);
  const quiet = load.lap();
  const random = sequence(7);
  const live = new Set<string>();
  const startedAt = performance.now();
  const change = (): void => {
    const name = `other-${random(60)}`;
    if (live.has(name) && random(3) === 0) {
      fairlead.remove(`${name}.yaml`);
      live.delete(name);
    } else {
      fairlead.write(`${name}.yaml`, ingress(name, { host: `${name}.example.com`, paths: { [`/v${random(1000)}`]: 'web' } }));
      live.add(name);
    }
  };
  let changes = 0;
  const changeAtRate = async (until: () => boolean): Promise<void> => {
    while (!until()) {
      change();
      const due = (++changes / SIZE.changes) * SIZE.seconds * 1000 - (performance.now() - startedAt);
      if (due > 0) await pause(due);
    }
  };
  await changeAtRate(() => changes === SIZE.changes);
  const tookMs = performance.now() - startedAt;
  fairlead.write('last.yaml', ingress('last', { host: 'last.example.com' }));
  await eventually('the last change is live', async () => (await get(fairlead.http, '/', { host: 'last.example.com' })).status === 200);
  const changing = load.lap();
  // Number 3 holds its streams open for longer than number 1 lasts, under the same changes.
  const endsAt = performance.now() + SIZE.longSeconds * 1000;
  await changeAtRate(() => performance.now() >= endsAt);
  const after = await load.stop();
  const open = await streams.stop();
  t.deepEqual([...quiet.failures, ...changing.failures, ...after.failures], []);
  t.is(changing.closed + after.closed, 0);
  t.deepEqual({ closed: open.closed, wrong: open.wrong }, { closed: 0, wrong: 0 });
  if (FULL) t.true(tookMs < SIZE.seconds * 1000 * 1.1, `the changes took ${tookMs} ms`);
  t.true(changing.sent > SIZE.rate * SIZE.seconds * 0.8, `${changing.sent} were sent`);
  const version = Number(/^fairlead_table_version (\d+)/m.exec((await get(fairlead.admin, '/metrics')).body)?.[1]);
  t.true(version > SIZE.changes / 20, `${version} tables were published`);
  t.log(`${changing.sent} requests and messages of the load, F = 0; ${SIZE.changes} changes in ${(tookMs / 1000).toFixed(1)} s, ${version} tables in all; p50 ${quiet.p50.toFixed(1)} → ${changing.p50.toFixed(1)} ms, p99 ${quiet.p99.toFixed(1)} → ${changing.p99.toFixed(1)} ms`);
  t.log(`${open.messages} messages on ${SIZE.sockets} WebSockets and ${SIZE.chats} gRPC streams, open for ${Math.round((performance.now() - startedAt) / 1000)} s under ${changes} changes: 0 closed, 0 lost or out of order`);
  if (FULL) t.true(changing.p99 < quiet.p99 * 2, `p99 ${quiet.p99} → ${changing.p99} ms`);
});

test.serial(`2: a route that flips ${SIZE.flips} times between two applications answers from either, never from both or neither`, async (t) => {
  t.timeout(300_000);
  const { fairlead } = await startLoadSite(t);
  // An answer of several writes, so that a mixture could be seen.
  const side = (name: string): Promise<number> =>
    startBackend(t, name, (_request, response) => {
      response.setHeader('x-side', name);
      response.write(`${name} `);
      setImmediate(() => response.end(`${name} ${name}`));
    });
  const [blue, green] = [await side('blue'), await side('green')];
  const flip = (nth: number): void => fairlead.write('flip.yaml', ingress('flip', { host: 'flip.example.com', paths: { '/': nth % 2 === 0 ? 'blue' : 'green' } }));
  fairlead.write('sides.yaml', documents(service('blue'), endpoints('blue', blue), service('green'), endpoints('green', green)));
  flip(0);
  await eventually('the route is live', async () => (await get(fairlead.http, '/', { host: 'flip.example.com' })).status === 200);
  const load = await MixedLoad.start(t, { port: fairlead.http, rate: FULL ? 300 : 100, mix: ['h1', 'h2', 'fresh'], host: 'flip.example.com' });
  const seen = new Map<string, number>();
  let over = false;
  t.teardown(() => (over = true));
  const look = Promise.all(Array.from({ length: 4 }, async () => {
    while (!over) {
      const { status, headers, body } = await get(fairlead.http, '/', { host: 'flip.example.com' });
      const name = String(headers['x-side']);
      const what = status === 200 && body === `${name} ${name} ${name}` ? name : `${status} ${name} ${body}`;
      seen.set(what, (seen.get(what) ?? 0) + 1);
      await pause(5);
    }
  }));
  for (let nth = 1; nth <= SIZE.flips; nth++) {
    flip(nth);
    await pause(FULL ? 30 : 25);
  }
  over = true;
  await look;
  const report = await load.stop();
  t.deepEqual(report.failures, []);
  t.deepEqual([...seen.keys()].sort(), ['blue', 'green'], JSON.stringify([...seen]));
  t.log(`${report.sent} requests, F = 0; of those that were read: ${JSON.stringify(Object.fromEntries(seen))}`);
});
