// More than one worker can serve: twice its measured best, over kept HTTP/1.1 and HTTP/2 connections and TLS. What it can
// serve it serves, the rest waits or is told at once; whoever asks the primary process for health or metrics notices nothing,
// and it is over when it is over. Number 49 of the list in test/soak/README.md; that an endpoint is what has too few
// places, not the worker, is in capacity.test.ts. The requests are h2load's: a client in JavaScript would not be fast enough.
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { get } from '../support/fairlead-http.ts';
import { documents, endpoints, ingress, service } from '../support/fairlead-manifests.ts';
import { childrenOf, startFairlead } from '../support/fairlead-run.ts';
import type { FairleadRun } from '../support/fairlead-run.ts';
import { FULL } from '../support/load-site.ts';
import { secretYaml } from '../support/manifests.ts';
import { authority, issue } from '../support/pki.ts';
import { processors } from '../support/processors.ts';
import { has, run } from '../support/program.ts';

const HOST = 'shop.example.com';
const SIZE = FULL ? { bestSeconds: 10, overSeconds: Number(process.env['OVERLOAD_SECONDS'] ?? 300), connections: 400, sessions: 40 } : { bestSeconds: 2, overSeconds: 4, connections: 200, sessions: 20 };
const PAGE = fileURLToPath(new URL('../support/quick-app.ts', import.meta.url));

/** `taskset` before a program: with two processors, the worker has one for itself, and whatever asks and answers it the other. */
const [OWN, OTHERS] = FULL && availableParallelism() > 1 ? [processors()[0], processors().slice(1).join()] : [undefined, undefined];

function pin(pid: number, to: string | undefined): void {
  if (to !== undefined) execFileSync('taskset', ['-acp', to, String(pid)]);
}

interface Tally {
  /** Answers 2xx a second. */
  readonly good: number;
  readonly refused: number;
  readonly text: string;
}

/** Before the clock runs, for connections to be made (see `warm`): on a crowded machine they may take longer, and the next try gives them more. */
const HANDSHAKE_SECONDS = [2, 4, 8, 16];
/** From the end of a load to that of the program which makes it. */
const GRACE_SECONDS = 5;

interface LoadOptions {
  readonly connections: number;
  readonly sessions: number;
  readonly streams: number;
  /** Requests a second that each protocol's connections together try to send; absent: as many as are answered. */
  readonly rate?: number;
}

/** Both protocols at once, for so many seconds; anew if a program went on behind its end and so has told nothing. */
async function load(t: ExecutionContext, port: number, seconds: number, options: LoadOptions): Promise<Tally> {
  for (const handshakeSeconds of HANDSHAKE_SECONDS) {
    const tally = await loadOnce(port, seconds, handshakeSeconds, options);
    if (tally !== undefined) return tally;
    t.log(`h2load did not come to its end after ${handshakeSeconds} s for its connections`);
  }
  throw new Error(`h2load did not come to its end, ${HANDSHAKE_SECONDS.length} times`);
}

/** Undefined: a program told nothing. */
async function loadOnce(port: number, seconds: number, handshakeSeconds: number, { connections, sessions, streams, rate }: LoadOptions): Promise<Tally | undefined> {
  const one = (clients: number, args: readonly string[]): ReturnType<typeof run> => {
    const pace = rate === undefined ? [] : [`--rps=${(rate / clients).toFixed(2)}`];
    const [program, before] = OTHERS === undefined ? ['h2load', []] : ['taskset', ['-c', OTHERS, 'h2load']];
    return run(program, [...before, `--warm-up-time=${handshakeSeconds}`, '-D', String(seconds), '-c', String(clients), ...pace, ...args, `--connect-to=127.0.0.1:${port}`, `https://${HOST}:${port}/page`], (seconds + handshakeSeconds + GRACE_SECONDS) * 1000);
  };
  const ran = await Promise.all([one(connections, ['--h1']), one(sessions, ['-m', String(streams)])]);
  if (!ran.every(({ stdout }) => stdout.includes('finished in'))) return undefined;
  const count = (pattern: RegExp): number => ran.reduce((sum, { stdout }) => sum + Number(pattern.exec(stdout)?.[1] ?? 0), 0);
  const text = ran.map(({ stdout }) => (stdout.match(/\d+ (?:errored|[2345]xx)/g) ?? []).join(', ')).join(' | ');
  return { good: count(/status codes: (\d+) 2xx/) / seconds, refused: count(/(\d+) 5xx/) + count(/(\d+) errored/), text };
}

/** A number of requests on each connection, and not a time: h2load never ends connections whose handshake took longer than that. */
async function warm(port: number, { connections, sessions }: { readonly connections: number; readonly sessions: number }): Promise<void> {
  const one = (clients: number, args: readonly string[]): ReturnType<typeof run> =>
    run('h2load', ['-n', String(clients * (FULL ? 1_000 : 100)), '-c', String(clients), ...args, `--connect-to=127.0.0.1:${port}`, `https://${HOST}:${port}/page`], 60_000);
  await Promise.all([one(connections, ['--h1']), one(sessions, ['-m', '10'])]);
}

/** How long health and metrics took, asked for four times a second until it is stopped. */
function watch(t: ExecutionContext, { admin }: FairleadRun): () => Promise<{ readonly times: number[]; readonly levels: number[] }> {
  const times: number[] = [];
  const levels: number[] = [];
  let over = false;
  const look = async (): Promise<void> => {
    while (!over) {
      const at = performance.now();
      t.is((await get(admin, '/healthz')).status, 200);
      times.push(performance.now() - at);
      levels.push(Number(/^fairlead_worker_overload\{[^}]*\} (\d)/m.exec((await get(admin, '/metrics')).body)?.[1]));
      await pause(250);
    }
  };
  const looking = look();
  const stop = async (): Promise<{ readonly times: number[]; readonly levels: number[] }> => {
    over = true;
    await looking;
    return { times: times.sort((a, b) => a - b), levels };
  };
  // Where the test ends early, it stops before what it asks does.
  t.teardown(stop);
  return stop;
}

test.serial(`49: at twice what a worker can serve over TLS, for ${SIZE.overSeconds} s, it serves as much as at its best, health answers at once, and all is well when it is over`, async (t) => {
  t.timeout((5 * (SIZE.overSeconds + SIZE.bestSeconds) + 180) * 1000);
  if (!has(t, 'h2load', 'nghttp2-client')) return t.pass();
  const app = fork(PAGE, { execArgv: [] });
  t.teardown(() => app.kill('SIGKILL'));
  const [{ port }] = (await once(app, 'message')) as [{ port: number }];
  pin(app.pid ?? 0, OTHERS);
  const issuer = authority('overload authority');
  const { certPem, keyPem } = issue(issuer, 'shop', { names: [HOST] });
  const fairlead = await startFairlead(t, {
    args: ['--workers', '1', '--access-log', 'off'],
    files: { 'site.yaml': documents(ingress('web', { tls: 'tls' }), service('web'), endpoints('web', port), secretYaml('tls', certPem, keyPem, 'shop')) },
  });
  pin(fairlead.child.pid ?? 0, OTHERS);
  for (const pid of childrenOf(fairlead.child.pid)) pin(pid, OWN);
  // The same clients, each of which waits for its answers: fewer connections would do more in the same time, since all that belongs
  // to one of them is in the processor's cache, and that is no matter of overload.
  const crowd = { connections: SIZE.connections, sessions: SIZE.sessions };
  await warm(fairlead.https, crowd);
  const best = await load(t, fairlead.https, SIZE.bestSeconds, { ...crowd, streams: 10 });
  const stop = watch(t, fairlead);
  const over = await load(t, fairlead.https, SIZE.overSeconds, { ...crowd, streams: 100, rate: best.good });
  const overAt = performance.now();
  const { times, levels } = await stop();
  let recoveredMs = 0;
  for (let good = 0; good < 20 && recoveredMs < 20_000; await pause(20)) {
    const at = performance.now();
    const { status } = await get(fairlead.https, '/page', { host: HOST, ca: issuer.certPem }).catch(() => ({ status: 0 }));
    good = status === 200 && performance.now() - at < 100 ? good + 1 : 0;
    recoveredMs = performance.now() - overAt;
  }
  t.log(`best ${best.good.toFixed(0)} a second (${best.text}); at twice that ${over.good.toFixed(0)} (${((over.good / best.good) * 100).toFixed(0)} %), ${over.refused} refused (${over.text}); levels ${[0, 1, 2].map((level) => levels.filter((each) => each === level).length).join('/')} of ${levels.length} looks; health p50 ${times[times.length >> 1]?.toFixed(1)} ms, longest ${times.at(-1)?.toFixed(1)} ms; twenty quick answers in a row ${Math.round(recoveredMs)} ms after the end`);
  t.true(over.good >= best.good * (FULL ? 0.9 : 0.6), `${over.good} of ${best.good}`);
  t.true(recoveredMs < 5_000, `${recoveredMs} ms`);
  t.true(times.at(-1)! < (FULL ? 100 : 1_000), times.slice(-5).join(' '));
});
