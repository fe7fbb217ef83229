// Ten thousand certificates cost what is used of them: a worker that has them all beside one that has one. `npm run
// bench:certificates` has the full size, and prints what it measured.
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash, generateKeyPairSync, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Certificate } from '../../../proxy/table/certificate.ts';
import type { FromWorker, ToWorker, WorkerOptions } from '../../../proxy/table/messages.ts';
import type { VirtualHost } from '../../../proxy/table/route.ts';
import { EMPTY_SNAPSHOT } from '../../../proxy/table/snapshot.ts';
import { MALLOC, V8_FLAGS } from '../../../controller/publish/worker-process.ts';
import { HTTP_LISTENER, virtualHost } from '../../support/data-plane.ts';
import { authority, issue } from '../../support/pki.ts';
import type { Identity } from '../../support/pki.ts';
import { DEFAULT_TEST_OPTIONS } from '../../support/worker-options.ts';

const FULL = process.env['CERTIFICATES'] !== undefined;
const COUNT = Number(process.env['CERTIFICATES'] ?? 1_200);
const HANDSHAKES = FULL ? 4_000 : 300;
/** Until as many contexts are kept as ever will be. */
const WARM = FULL ? 2_000 : 50;
const WORKER = fileURLToPath(new URL('../../../proxy/worker.ts', import.meta.url));
const CA = authority('authority');
const MIDDLE = issue(CA, 'middle', { ca: true });

interface Worker {
  readonly child: ChildProcess;
  readonly port: number;
  rss(): number;
}

async function startWorker(t: ExecutionContext, leaves: readonly Identity[]): Promise<Worker> {
  const certificates: Record<string, Certificate> = {};
  const virtualHosts: Record<string, VirtualHost> = {};
  for (const { name, chainPem, keyPem } of leaves) {
    const digest = `sha256/${createHash('sha256').update(name).digest('hex')}`;
    certificates[digest] = { name: digest, hostnames: [name], notAfter: 0, chainPem, keyPem };
    virtualHosts[`https/${name}`] = virtualHost(name, [], { listeners: ['https'], certificate: digest });
  }
  const defaultCertificate = Object.keys(certificates)[0] ?? '';
  const listeners = { 'listener/https': { ...HTTP_LISTENER, name: 'https', protocol: 'HTTPS' as const, tls: { defaultCertificate, minVersion: 'TLSv1.2' as const } } };
  const options: Partial<WorkerOptions> = { index: 0, accessLog: 'off', ...DEFAULT_TEST_OPTIONS };
  const child = fork(WORKER, [], { execArgv: V8_FLAGS, env: { ...process.env, ...MALLOC, FAIRLEAD_WORKER: JSON.stringify(options) } });
  t.teardown(() => child.kill('SIGKILL'));
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the worker ended')));
    child.on('message', (raw) => {
      const message = raw as FromWorker;
      if (message.type === 'hello') child.send({ type: 'snapshot', snapshot: { ...EMPTY_SNAPSHOT, version: 1, listeners, virtualHosts, certificates } } satisfies ToWorker);
      if (message.type === 'refused') reject(new Error(message.error));
      if (message.type === 'applied') resolve(message.ports['https'] ?? 0);
    });
  });
  return { child, port, rss: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024 };
}

/** Milliseconds. */
function handshake(port: number, servername: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const socket = connect({ port, host: '127.0.0.1', servername, ca: CA.certPem, ALPNProtocols: ['http/1.1'] }, () => {
      const elapsed = performance.now() - startedAt;
      socket.destroy();
      resolve(elapsed);
    });
    socket.on('error', reject);
  });
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

test('a handshake costs the same whether a worker has one certificate or many, and many fit into little memory', async (t) => {
  // One key for all: making ten thousand of them is not what is measured.
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const leaves = Array.from({ length: COUNT }, (_, nth) => issue(MIDDLE, `host-${nth}.example.com`, { names: [`host-${nth}.example.com`], key }));
  const one = await startWorker(t, leaves.slice(0, 1));
  const many = await startWorker(t, leaves);
  const compare = async (host: (nth: number) => number): Promise<{ readonly alone: number; readonly among: number }> => {
    const times = { one: [] as number[], many: [] as number[] };
    for (let nth = 0; nth < WARM + HANDSHAKES; nth++) {
      // Turn by turn, so that whatever else the machine does hits both.
      times.one.push(await handshake(one.port, 'host-0.example.com'));
      times.many.push(await handshake(many.port, `host-${host(nth)}.example.com`));
    }
    return { alone: median(times.one.slice(WARM)), among: median(times.many.slice(WARM)) };
  };
  // Each host as likely as any other: there is no worse that clients would do by themselves.
  const { alone, among } = await compare(() => randomInt(COUNT));
  const [small, large] = [one.rss(), many.rss()];
  if (FULL) {
    const worst = await compare((nth) => (nth * 7_919) % COUNT);
    t.log(`each time the host that was asked for longest ago: ${worst.alone.toFixed(2)} ms and ${worst.among.toFixed(2)} ms (+${((worst.among / worst.alone - 1) * 100).toFixed(0)} %)`);
  }
  t.log(`handshake with 1 certificate ${alone.toFixed(2)} ms, with ${COUNT} ${among.toFixed(2)} ms (+${((among / alone - 1) * 100).toFixed(0)} %); resident ${small.toFixed(0)} MB and ${large.toFixed(0)} MB`);
  if (FULL) t.true(among < alone * 1.2, `${alone} ms and ${among} ms`);
  t.true(large - small < 100, `${small} MB and ${large} MB`);
});
