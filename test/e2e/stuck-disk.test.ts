// A state directory on a file system that does not answer, as a network that is away makes it: here a pipe in place of the table, which
// to open means to wait for somebody who writes. Nobody may have to wait with it.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { startBackend } from '../support/fairlead-backend.ts';
import { get } from '../support/fairlead-http.ts';
import { documents, endpoints, ingress, service } from '../support/fairlead-manifests.ts';
import { startFairlead, temporaryFolder } from '../support/fairlead-run.ts';

test('a state directory that does not answer keeps nobody from being served, and Fairlead from ending for five seconds', async (t) => {
  const port = await startBackend(t, 'web');
  const stateDir = join(temporaryFolder(t), 'state');
  mkdirSync(stateDir);
  execFileSync('mkfifo', [join(stateDir, 'table')]);
  const files = { 'site.yaml': documents(ingress('web'), service('web'), endpoints('web', port)) };
  const fairlead = await startFairlead(t, { files, args: ['--state-dir', stateDir] });
  t.is((await get(fairlead.http, '/', { host: 'shop.example.com' })).status, 200);
  const startedAt = performance.now();
  t.is(await fairlead.stop(), 'SIGKILL');
  const tookMs = performance.now() - startedAt;
  t.true(tookMs > 4_500 && tookMs < 12_000, `${Math.round(tookMs)} ms`);
  t.true(fairlead.log.some(({ msg }) => msg === 'drained'));
  t.is(fairlead.log.find(({ msg }) => String(msg).startsWith('the state directory does not answer'))?.['stateDir'], stateDir);
});
