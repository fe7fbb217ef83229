// The control plane's figures, on this machine: `npm run bench:control`. A test API server holds 10,000 Ingresses, 10,000
// Services and 50,000 endpoints; Fairlead is a process of its own with two workers. Prints one line per figure with its limit,
// writes them into RESULTS.md, and ends with 1 if one is missed. Smaller, and nothing is written: HOSTS=1000 npm run bench:control.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { kubeconfig } from '../support/api-server/kubeconfig.ts';
import { ADMIN_TOKEN, ApiServer } from '../support/api-server/server.ts';
import { childrenOf } from '../support/fairlead-run.ts';
import { endpointSlice, ingress, ingressClass, service } from '../support/kube/objects.ts';
import { describeMachine } from './report/machine.ts';
import { writeResults } from './report/results.ts';
import { POD_ADDRESS } from '../support/kube/pod.ts';

const CLI = fileURLToPath(new URL('../../controller/cli.ts', import.meta.url));
const HOSTS = Number(process.env.HOSTS ?? 10_000);
const ENDPOINTS = 5;
const SAMPLES = Number(process.env.SAMPLES ?? 200);
/** How large the objects of real clusters are, metadata included: about a kilobyte each. */
const FILLER = { 'example.com/owner': 'team-0123456789', 'kubectl.kubernetes.io/last-applied-configuration': 'x'.repeat(500) };

interface Fairlead {
  readonly child: ChildProcess;
  readonly http: number;
  readonly admin: number;
  readonly readyMs: number;
}

let missed = 0;
const rows: string[] = [];
/** `spread`: what the figure was taken from, lowest to highest. */
function figure(name: string, value: number, unit: string, limit: number, spread: readonly number[] = []): void {
  const good = value <= limit;
  if (!good) missed++;
  const text = (number: number): string => number.toFixed(unit === 'ms' ? 1 : 0);
  const range = spread.length < 2 ? '' : `${text(Math.min(...spread))} – ${text(Math.max(...spread))}`;
  console.log(`${good ? 'ok    ' : 'MISSED'} ${name.padEnd(76)} ${text(value).padStart(8)} ${unit}   (limit ${limit} ${unit}) ${range}`);
  rows.push(`| ${name} | ${text(value)} ${unit}${good ? '' : ' **missed**'} | ${range} | ${limit} ${unit} |`);
}

function fill(api: ApiServer): void {
  api.write(ingressClass());
  for (let index = 0; index < HOSTS; index++) {
    const name = `app-${index}`;
    const pods = Array.from({ length: ENDPOINTS }, (_, pod) => ({ address: `10.${(index >> 8) & 255}.${index & 255}.${pod + 1}` }));
    const managedFields = [{ manager: 'kubectl', operation: 'Update', apiVersion: 'v1', time: '2026-01-01T00:00:00Z', fieldsType: 'FieldsV1', fieldsV1: { 'f:metadata': { 'f:annotations': { '.': {}, 'f:example.com/owner': {} } }, 'f:spec': { 'f:ports': {}, 'f:rules': {}, 'f:selector': {} } } }];
    for (const object of [service(name), endpointSlice(name, 8080, pods), ingress(name, `${name}.example.com`, name, { annotations: FILLER })]) {
      api.write({ ...object, metadata: { ...object.metadata, managedFields } } as Parameters<ApiServer['write']>[0]);
    }
  }
}

async function startFairlead(file: string, stateDir: string): Promise<Fairlead> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [CLI, 'run', '--kubeconfig', file, '--http-port', '0', '--https-port', '0', '--admin-port', '0', '--bind', '0.0.0.0', '--workers', '2', '--access-log', 'off', '--log-level', 'warn', '--update-status', 'false', '--state-dir', stateDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  // Whatever happens here, it does not outlive this.
  process.once('exit', () => child.kill('SIGKILL'));
  const ready = await new Promise<{ http: number; admin: number }>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => resolve(JSON.parse(line)));
    child.once('exit', (code) => reject(new Error(`fairlead ended with ${code}`)));
  });
  return { child, http: ready.http, admin: ready.admin, readyMs: performance.now() - startedAt };
}

async function stopFairlead({ child }: Fairlead): Promise<void> {
  child.removeAllListeners('exit');
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

const residentMb = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

async function metric(fairlead: Fairlead, name: string): Promise<number[]> {
  const text = await (await fetch(`http://127.0.0.1:${fairlead.admin}/metrics`)).text();
  return text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `)).map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
}

/** A pod that answers with its name. */
async function pod(name: string): Promise<{ readonly port: number; close(): void }> {
  const server = createServer((_request, response) => response.end(name));
  await new Promise<void>((resolve) => server.listen(0, POD_ADDRESS, resolve));
  return { port: (server.address() as AddressInfo).port, close: () => server.close().closeAllConnections() };
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Asks again and again until the answer is the one that is wanted; the time since `since`. */
async function untilAnswer(pool: Pool, host: string, wanted: string, since: number): Promise<number> {
  for (;;) {
    const { body } = await pool.request({ method: 'GET', path: '/', headers: { host } });
    if ((await body.text()) === wanted) return performance.now() - since;
    if (performance.now() - since > 10_000) throw new Error(`${host} never answered ${wanted}`);
    await pause(0.5);
  }
}

const api = new ApiServer({ historyLimit: 1_000_000 });
await api.start();
fill(api);
const folder = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
const file = join(folder, 'kubeconfig');
writeFileSync(file, kubeconfig({ url: api.url, caPem: api.caPem, token: ADMIN_TOKEN, namespace: 'default' }));
for (const name of ['shop']) api.write({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
console.log(`${HOSTS} Ingresses, ${HOSTS} Services, ${HOSTS * ENDPOINTS} endpoints; 2 workers; Node ${process.version}`);

const starts: number[] = [];
for (let round = 0; round < 2; round++) {
  const once = await startFairlead(file, join(folder, `state-${round}`));
  starts.push(once.readyMs);
  await stopFairlead(once);
}
api.faults.add({ action: { type: 'status', code: 503 } });
const away: number[] = [];
for (let round = 0; round < 2; round++) {
  const once = await startFairlead(file, join(folder, `state-${round}`));
  away.push(once.readyMs);
  await stopFairlead(once);
}
api.faults.clear();
const fairlead = await startFairlead(file, join(folder, 'state'));
starts.push(fairlead.readyMs);
figure('cold start until every worker serves, median of 3', percentile(starts, 0.5), 'ms', 5000, starts);
figure('the same from the last table on disk while the API is away, slower of 2', Math.max(...away), 'ms', 2000, away);

await pause(3000);
const memory = (when: string): void => {
  figure(`controller process, resident, ${when}`, residentMb(fairlead.child.pid!), 'MB', 600);
  for (const [index, pid] of childrenOf(fairlead.child.pid).entries()) figure(`worker ${index}, resident, ${when}`, residentMb(pid), 'MB', 250);
};
memory('after the start');

const [blue, green] = [await pod('blue'), await pod('green')];
const pool = new Pool(`http://127.0.0.1:${fairlead.http}`, { connections: 1, pipelining: 1 });
api.write(service('probe'));
api.write(endpointSlice('probe', blue.port, [{ address: POD_ADDRESS }]));
let churned = 0;
const churn = setInterval(() => {
  const index = churned++ % Math.floor(HOSTS / 2);
  const pods = Array.from({ length: ENDPOINTS }, (_, at) => ({ address: `10.${(index >> 8) & 255}.${index & 255}.${at + 1}`, ready: at !== churned % ENDPOINTS }));
  api.write(endpointSlice(`app-${index}`, 8080, pods));
}, 10);

const routes: number[] = [];
for (let sample = 0; sample < SAMPLES; sample++) {
  const host = `new-${sample}.example.com`;
  await pause(20 + Math.random() * 20);
  const since = performance.now();
  api.write(ingress(`new-${sample}`, host, 'probe'));
  routes.push(await untilAnswer(pool, host, 'blue', since));
}
figure(`a new Ingress answers, 100 unrelated endpoint events a second, median of ${SAMPLES}`, percentile(routes, 0.5), 'ms', 25, routes);
figure('  … p99', percentile(routes, 0.99), 'ms', 50);

const slices: number[] = [];
for (let sample = 0; sample < SAMPLES; sample++) {
  const [name, to] = sample % 2 === 0 ? ['green', green] as const : ['blue', blue] as const;
  await pause(20 + Math.random() * 20);
  const since = performance.now();
  api.write(endpointSlice('probe', to.port, [{ address: POD_ADDRESS }]));
  slices.push(await untilAnswer(pool, 'new-0.example.com', name, since));
}
figure(`a change of an EndpointSlice is routed, same load, median of ${SAMPLES}`, percentile(slices, 0.5), 'ms', 10, slices);
figure('  … p99', percentile(slices, 0.99), 'ms', 25);
clearInterval(churn);
api.write(endpointSlice('probe', green.port, [{ address: POD_ADDRESS }]));
await pause(1000);

const [before = 0] = await metric(fairlead, 'fairlead_table_version');
for (let round = 0; round < 500; round++) {
  const heartbeat = endpointSlice('probe', green.port, [{ address: POD_ADDRESS }]);
  api.write({ ...heartbeat, metadata: { ...heartbeat.metadata, annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': new Date().toISOString() + round } } } as Parameters<ApiServer['write']>[0]);
  api.write(service(`app-${round}`));
}
await pause(2000);
const [after = 0] = await metric(fairlead, 'fairlead_table_version');
figure('new tables after 1,000 writes that change no endpoint and no route', after - before, 'tables', 0);

await metric(fairlead, 'fairlead_worker_event_loop_delay_p99_seconds');
let asked = 0;
let failed = 0;
let serving = true;
const load = Promise.all(Array.from({ length: 5 }, async () => {
  while (serving) {
    const { statusCode, body } = await pool.request({ method: 'GET', path: '/', headers: { host: 'new-0.example.com' } }).catch(() => ({ statusCode: 0, body: { dump: async () => undefined } }));
    await body.dump();
    asked++;
    if (statusCode !== 200) failed++;
    await pause(10);
  }
}));
api.compact();
api.resetConnections();
await pause(8000);
serving = false;
await load;
figure(`failed requests of ${asked} while everything is listed again`, failed, 'failed', 0);
for (const [index, seconds] of (await metric(fairlead, 'fairlead_worker_event_loop_delay_p99_seconds')).entries()) figure(`worker ${index}: delay of its event loop meanwhile, p99`, seconds * 1000, 'ms', 20);
memory('at the end');

await pool.close();
blue.close();
green.close();
await stopFairlead(fairlead);
await api.stop();
rmSync(folder, { recursive: true });
if (HOSTS >= 10_000) {
  const load = `- ${HOSTS} Ingresses, ${HOSTS} Services, ${HOSTS * ENDPOINTS} endpoints of about a kilobyte each; two workers; API server, client and pods of the test share the processors`;
  writeResults('bench-control', [...(await describeMachine()), load, '', '| figure | value | lowest – highest | limit |', '|---|---|---|---|', ...rows].join('\n'));
}
console.log(missed === 0 ? 'All figures are within their limits.' : `${missed} figures are not within their limits.`);
process.exitCode = missed === 0 ? 0 : 1;
