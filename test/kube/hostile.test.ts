// Bad input from the API: every string of every kind set to every hostile text. Each object is taken literally or refused with a
// Problem; nobody else notices.
import test from 'ava';
import { readdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { get } from '../support/fairlead-http.ts';
import { startFairlead, temporaryFolder } from '../support/fairlead-run.ts';
import type { ApiObject } from '../support/api-server/json.ts';
import { Cluster } from '../support/kube/cluster.ts';
import { HOSTILE, hostileObjects } from '../support/kube/hostile.ts';
import { startLoad } from '../support/kube/load.ts';
import { endpointSlice, ingress, ingressClass, service } from '../support/kube/objects.ts';
import { startPod } from '../support/kube/pod.ts';
import { until } from '../support/kube/until.ts';

test('every string of every kind with every hostile text is taken literally or refused with a Problem, and no request fails', async (t) => {
  t.true(HOSTILE.length >= 60);
  const cluster = await Cluster.start('test server');
  t.teardown(() => cluster.stop());
  const pod = await startPod(t, 'good');
  for (const object of [ingressClass(), service('good'), endpointSlice('good', pod.port, [pod]), ingress('good', 'good.example', 'good')]) await cluster.admin.apply(object);
  const stateDir = temporaryFolder(t);
  const fairlead = await startFairlead(t, { source: ['--kubeconfig', cluster.writeKubeconfig()], args: ['--access-log', 'off', '--log-level', 'error', '--update-status', 'false', '--state-dir', stateDir] });
  const load = startLoad(t, fairlead.http, ['good.example']);

  const ingresses = new Map<string, { readonly field: string; readonly text: string }>();
  let count = 0;
  for (const { field, text, object } of hostileObjects()) {
    cluster.server.write(object as unknown as ApiObject);
    if (object.kind === 'Ingress' && field !== 'metadata.name') ingresses.set(String(object.metadata.name), { field, text });
    if (++count % 50 === 0) await pause(5);
  }
  await cluster.admin.apply(ingress('last', 'last.example', 'good'));
  const took = await until('what comes after them is served', async () => (await get(fairlead.http, '/', { host: 'last.example' })).body.startsWith('good'), 60_000);
  t.log(`${count} objects; what came after them was served ${Math.round(took)} ms later`);

  let problems = '';
  let table = '';
  let silent: (readonly [string, { readonly field: string; readonly text: string }])[] = [];
  // Problems are compared apart from the table, once a second in a burst like this one.
  for (const end = performance.now() + 20_000; performance.now() < end; await pause(250)) {
    problems = (await get(fairlead.admin, '/problems?output=json')).body;
    table = (await get(fairlead.admin, '/table?output=json')).body;
    const named = new Set([...`${problems}${table}`.matchAll(/hostile-\d+/g)].map(([name]) => name));
    // Another class is another one's business.
    silent = [...ingresses].filter(([name, { field }]) => !named.has(name) && !/ingressClassName|ingress\.class/.test(field));
    if (silent.length === 0) break;
  }
  t.deepEqual(silent.map(([name, { field, text }]) => `${name} ${field} ${JSON.stringify(text).slice(0, 40)}`), []);
  for (const page of [problems, table, (await get(fairlead.admin, '/problems')).body, (await get(fairlead.admin, '/table')).body]) {
    // Nothing that a terminal would obey, and nothing of a length that only an attacker writes.
    t.false(/[^\P{C}\n\t]/u.test(page));
    t.false(page.includes('x'.repeat(10_000)));
  }
  const metrics = (await get(fairlead.admin, '/metrics')).body;
  for (const name of ['fairlead_worker_exits_total', 'fairlead_compile_failures_total', 'fairlead_tables_refused_total']) t.regex(metrics, new RegExp(`^${name} 0$`, 'm'));
  t.is((await get(fairlead.admin, '/readyz')).status, 200);
  t.deepEqual(await load.stop(), []);
  t.is(await fairlead.stop(), 0);
  t.deepEqual(readdirSync(stateDir), ['table'], 'files are written in one place');
});
