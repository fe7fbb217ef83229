// An edit of a manifest is live in a moment. What changes cost others is in test/soak/routes.test.ts.
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { startBackend } from '../support/fairlead-backend.ts';
import { get } from '../support/fairlead-http.ts';
import { documents, endpoints, ingress, service } from '../support/fairlead-manifests.ts';
import { startFairlead } from '../support/fairlead-run.ts';

test('an edit is live in a moment, and the time is told', async (t) => {
  const web = await startBackend(t, 'web');
  const fairlead = await startFairlead(t, { files: { 'site.yaml': documents(ingress('web'), service('web'), endpoints('web', web)) } });
  const took: number[] = [];
  for (let i = 0; i < 15; i++) {
    const host = `edit-${i}.example.com`;
    const at = performance.now();
    fairlead.write(`edit-${i}.yaml`, ingress(`edit-${i}`, { host }));
    while ((await get(fairlead.http, '/', { host })).status !== 200) if (performance.now() - at > 5_000) break;
    took.push(performance.now() - at);
    await pause(30);
  }
  took.sort((a, b) => a - b);
  t.log(`median ${took[7]?.toFixed(1)} ms, longest ${took[14]?.toFixed(1)} ms`);
  // The figure itself belongs to the benchmark: here only that it is no matter of seconds.
  t.true((took[7] ?? Infinity) < 1_000);
});
