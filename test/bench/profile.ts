// `npm run bench:profile`: where one Fairlead worker spends its time. Runs one case (--case, keep-alive by default) for --seconds
// (5), prints the functions with the most time of their own, and leaves the profile (for the browser's developer tools) and
// a flame graph in tmp/profile/. The profile is V8's own (--cpu-prof), which a worker writes when it has drained.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LOAD_CASES } from './cases/load-cases.ts';
import { TLS_CASES } from './cases/tls-cases.ts';
import { fairlead } from './peers/fairlead.ts';
import { callTree, selfTimes } from './report/cpu-profile.ts';
import type { CpuProfile } from './report/cpu-profile.ts';
import { flameGraph } from './report/flame.ts';
import { makeBed } from './run/bed.ts';
import { cpuOf } from './run/meters.ts';

const OUT = fileURLToPath(new URL('../../tmp/profile', import.meta.url));
const INTERVAL_US = 200;
const SHOWN = 40;

const { values } = parseArgs({ options: { case: { type: 'string', default: 'keep-alive' }, seconds: { type: 'string', default: '5' } } });
const CASES = [...LOAD_CASES, ...TLS_CASES];
const load = CASES.find(({ name }) => name === values.case);
if (load === undefined) throw new Error(`--case ${values.case}: there is no such case; allowed: ${CASES.map(({ name }) => name).join(', ')}`);
const seconds = Number(values.seconds);
if (!(seconds >= 1 && seconds <= 60)) throw new Error(`--seconds ${values.seconds}: allowed: 1 to 60`);

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });
const bed = await makeBed();
try {
  const env = { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${OUT} --cpu-prof-interval=${INTERVAL_US}` };
  const target = await bed.start(fairlead, { protocol: load.protocol, certificate: bed.certificates[load.certificate ?? 'ecdsa'], env, ...(load.table === undefined ? {} : { table: load.table }) });
  const wrong = await load.check(target);
  if (wrong !== undefined) throw new Error(wrong);
  await load.load(target, fairlead.warmUpSeconds, bed.cpus.load);
  const before = cpuOf(target.pid);
  const from = Number(process.hrtime.bigint() / 1000n);
  const counts = await load.load(target, seconds, bed.cpus.load);
  const to = Number(process.hrtime.bigint() / 1000n);
  const after = cpuOf(target.pid);
  await target.stop();
  const profile = workerProfile();
  const tree = callTree(profile, from, to);
  const cpu = (after.user + after.system - before.user - before.system) / counts.requests;
  const title = `${load.title}: ${Math.round(counts.requests / counts.seconds)} ${load.unit}s/s, ${cpu.toFixed(1)} µs of CPU each, profiler included`;
  writeFileSync(join(OUT, 'flame.svg'), flameGraph(tree, title));
  console.log(`${title}\n\n  self   µs each  function`);
  for (const { name, place, share } of selfTimes(tree).slice(0, SHOWN)) {
    console.log(`${(share * 100).toFixed(1).padStart(5)} %  ${((share * tree.total) / counts.requests).toFixed(2).padStart(7)}  ${name} ${place}`);
  }
  console.log(`\nFlame graph: tmp/profile/flame.svg`);
} finally {
  await bed.close();
}

/** The profile with the worker in it: the primary writes one as well, and does next to nothing. */
function workerProfile(): CpuProfile {
  const profiles = readdirSync(OUT).filter((name) => name.endsWith('.cpuprofile')).map((name) => JSON.parse(readFileSync(join(OUT, name), 'utf8')) as CpuProfile);
  const found = profiles.find(({ nodes }) => nodes.some(({ callFrame }) => callFrame.url.endsWith('/proxy/serve.ts')));
  if (found === undefined) throw new Error('the worker wrote no profile');
  return found;
}
