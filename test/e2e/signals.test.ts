// What users of nginx send by reflex: SIGHUP to reload, SIGUSR1 after the log was moved away. The one ends nothing, the other loses
// no line and starts no debugger, in whatever process it comes to; and what a terminal sends when it is closed ends everything.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import WebSocket, { WebSocketServer } from 'ws';
import { startBackend } from '../support/fairlead-backend.ts';
import { eventually, get } from '../support/fairlead-http.ts';
import { documents, endpoints, ingress, service } from '../support/fairlead-manifests.ts';
import { childrenOf, CLI, startFairlead, temporaryFolder } from '../support/fairlead-run.ts';
import type { FairleadRun, LogLine } from '../support/fairlead-run.ts';
import { has } from '../support/program.ts';

const FREE = ['--http-port', '0', '--https-port', '0', '--admin-port', '0', '--bind', '127.0.0.1'];
const HOST = { host: 'shop.example.com' };

/** To all of its processes, as a terminal and `pkill` do. */
function sendAll(run: FairleadRun, signal: NodeJS.Signals): void {
  for (const pid of [...childrenOf(run.child.pid), run.child.pid!]) process.kill(pid, signal);
}

const said = (run: FairleadRun, what: string): readonly LogLine[] => run.log.filter(({ msg }) => String(msg).includes(what));

function linesOf(file: string): readonly LogLine[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as LogLine) : [];
}

test('HUP ends nothing: a request under way and a WebSocket go on, and one line says why nothing is reloaded', async (t) => {
  let answer: ServerResponse | undefined;
  const slow = await startBackend(t, 'slow', (_request, response) => void (answer = response));
  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  t.teardown(() => sockets.close());
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(String(data))));
  await once(sockets, 'listening');
  const files = { 'site.yaml': documents(ingress('web', { paths: { '/': 'web', '/live': 'live' } }), service('web'), service('live'), endpoints('web', slow), endpoints('live', (sockets.address() as AddressInfo).port)) };
  const fairlead = await startFairlead(t, { files, args: ['--workers', '2'] });
  const workers = childrenOf(fairlead.child.pid);
  const open = get(fairlead.http, '/', HOST);
  const socket = new WebSocket(`ws://127.0.0.1:${fairlead.http}/live`, { headers: HOST });
  await once(socket, 'open');
  await eventually('the request is at the endpoint', () => answer !== undefined);

  sendAll(fairlead, 'SIGHUP');
  await eventually('a line of the log', () => said(fairlead, 'nothing to reload').length === 1);
  answer!.end('slow but whole');
  t.is((await open).body, 'slow but whole');
  socket.send('still there?');
  t.is(String((await once(socket, 'message') as unknown[])[0]), 'still there?');
  t.deepEqual(childrenOf(fairlead.child.pid), workers);
  t.is((await get(fairlead.admin, '/readyz')).status, 200);
  socket.close();
  t.is(await fairlead.stop(), 0);
  t.deepEqual(fairlead.log.filter(({ level }) => level === 'error'), []);
});

test('a rotated access log is written anew after USR1, and no line is lost', async (t) => {
  const { fairlead, file } = await startLogged(t);
  let sent = 0;
  let stopped = false;
  const clients = Array.from({ length: 4 }, async () => {
    while (!stopped) t.is((await get(fairlead.http, `/${sent++}`, HOST)).status, 200);
  });
  for (let nth = 1; nth <= 4; nth++) {
    const before = sent;
    await eventually('requests', () => sent > before + 50);
    renameSync(file, `${file}.${nth}`);
    fairlead.child.kill('SIGUSR1');
    await eventually('every worker writes the new file', () => logsOf(fairlead, file).join() === `${file},${file}`);
  }
  const [rotated, before] = [linesOf(`${file}.4`).length, sent];
  await eventually('a few more', () => sent > before + 50);
  stopped = true;
  await Promise.all(clients);
  t.is(await fairlead.stop(), 0);
  t.is(linesOf(`${file}.4`).length, rotated, 'the old file has grown no more');
  const paths = ['', '.1', '.2', '.3', '.4'].flatMap((end) => linesOf(`${file}${end}`)).map(({ path }) => Number(String(path).slice(1)));
  t.deepEqual(paths.sort((a, b) => a - b), Array.from({ length: sent }, (_, nth) => nth));
  t.is(said(fairlead, 'opens the access log anew').length, 4);
});

test('a worker that came later does as the others, and signals that are sent to workers do nothing', async (t) => {
  const { fairlead, file } = await startLogged(t);
  const [killed] = childrenOf(fairlead.child.pid);
  process.kill(killed!, 'SIGKILL');
  const successor = await eventually('a successor', () => !childrenOf(fairlead.child.pid).includes(killed!) && childrenOf(fairlead.child.pid).length === 2);
  t.true(successor);
  renameSync(file, `${file}.1`);
  // It may have opened the file before, or not yet.
  fairlead.child.kill('SIGUSR1');
  await eventually('both write the new file', () => logsOf(fairlead, file).join() === `${file},${file}`);
  await eventually('both serve', async () => !(await get(fairlead.admin, '/metrics')).body.match(/fairlead_worker_version_lag\{worker="\d"\} [^0]/));
  const workers = childrenOf(fairlead.child.pid);
  for (const worker of workers) for (const signal of ['SIGUSR1', 'SIGHUP'] as const) process.kill(worker, signal);
  for (let nth = 0; nth < 10; nth++) t.is((await get(fairlead.http, '/', HOST)).status, 200);
  t.deepEqual(childrenOf(fairlead.child.pid), workers);
  t.deepEqual(fairlead.log.filter((line) => 'notJson' in line), [], 'no debugger speaks');
  t.is(await fairlead.stop(), 0);
});

test('an access log that cannot be opened anew is an error of the log, and lines go on to where they went', async (t) => {
  const { fairlead, file } = await startLogged(t);
  const old = `${dirname(file)}.old`;
  renameSync(dirname(file), old);
  fairlead.child.kill('SIGUSR1');
  const lines = await eventually('both say so', () => said(fairlead, 'could not be opened anew').length === 2 && said(fairlead, 'could not be opened anew'));
  t.like(lines[0], { level: 'error', accessLog: file });
  t.regex(String(lines[0]!['reason']), /^ENOENT: .*access\.log'$/);
  await get(fairlead.http, '/kept', HOST);
  await eventually('the line is in the old file', () => linesOf(join(old, 'access.log')).length === 1);
  mkdirSync(dirname(file));
  fairlead.child.kill('SIGUSR1');
  await eventually('both write the new file', () => logsOf(fairlead, file).join() === `${file},${file}`);
  t.is(await fairlead.stop(), 0);
});

test('USR1 without a file for the access log is a line of the log, and no debugger', async (t) => {
  const fairlead = await startFairlead(t);
  sendAll(fairlead, 'SIGUSR1');
  const line = await eventually('the line', () => said(fairlead, 'the access log is no file')[0]);
  t.is(line['accessLog'], 'stdout');
  t.is((await get(fairlead.http, '/')).status, 404);
  await eventually('the access log', () => fairlead.accessLog.length === 1);
  t.deepEqual(fairlead.log.filter((each) => 'notJson' in each), []);
});

test('neither signal does harm while it starts or drains', async (t) => {
  let answer: ServerResponse | undefined;
  const slow = await startBackend(t, 'slow', (_request, response) => void (answer = response));
  const folder = temporaryFolder(t, { 'site.yaml': documents(ingress('web'), service('web'), endpoints('web', slow)) });
  const file = join(temporaryFolder(t), 'access.log');
  const child = spawn(process.execPath, [CLI, 'run', '--manifests', folder, ...FREE, '--workers', '1', '--access-log', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  const log: LogLine[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => log.push(JSON.parse(line) as LogLine));
  let ready: LogLine | undefined;
  createInterface({ input: child.stdout }).once('line', (line) => (ready = JSON.parse(line) as LogLine));
  await eventually('it starts', () => log.length > 0);
  const send = (): void => (['SIGHUP', 'SIGUSR1'] as const).forEach((signal) => child.kill(signal));
  const timer = setInterval(send, 20);
  t.teardown(() => clearInterval(timer));
  const port = await eventually('it is ready', () => ready?.['http'] as number | undefined);
  const open = get(port, '/', HOST);
  await eventually('the request is at the endpoint', () => answer !== undefined);
  child.kill('SIGTERM');
  await eventually('it drains', () => log.some(({ msg }) => msg === 'draining'));
  const count = log.length;
  await eventually('signals come meanwhile', () => log.length > count + 5);
  answer!.end('slow but whole');
  t.is((await open).body, 'slow but whole');
  t.deepEqual(await ended, [0, null]);
  t.is(linesOf(file).length, 1);
  t.deepEqual(log.filter(({ level }) => level === 'error'), []);
});

for (const command of ['run', 'demo']) {
  test(`a terminal that is closed ends ${command}, and all of its processes`, async (t) => {
    if (!has(t, 'script', 'bsdutils')) return;
    const args = command === 'run' ? ['run', '--manifests', temporaryFolder(t), ...FREE, '--workers', '2'] : ['demo'];
    const scratch = temporaryFolder(t);
    const terminal = spawn('script', ['-qfc', `exec '${process.execPath}' '${CLI}' ${args.join(' ')}`, '/dev/null'], { stdio: ['pipe', 'pipe', 'ignore'], env: { ...process.env, TMPDIR: scratch } });
    t.teardown(() => terminal.kill('SIGKILL'));
    let text = '';
    terminal.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    await eventually('it is ready', () => /"msg":"ready"|Ctrl-C ends everything/.test(text));
    const [fairlead = 0] = childrenOf(terminal.pid);
    t.teardown(() => existsSync(`/proc/${fairlead}`) && process.kill(fairlead, 'SIGKILL'));
    const workers = childrenOf(fairlead);
    t.true(workers.length > 0);
    if (command === 'run') {
      process.kill(fairlead, 'SIGHUP');
      await eventually('the terminal is there, so this one ends nothing', () => text.includes('nothing to reload'));
    }
    terminal.kill('SIGKILL');
    await eventually('none is left', () => [fairlead, ...workers].every((pid) => !existsSync(`/proc/${pid}`)));
    t.deepEqual(readdirSync(scratch).filter((name) => name.startsWith('fairlead-')), [], 'nor what it wrote for itself');
  });
}

/** With two workers, and an access log in a folder of its own. */
async function startLogged(t: ExecutionContext): Promise<{ readonly fairlead: FairleadRun; readonly file: string }> {
  const port = await startBackend(t, 'web');
  const file = join(temporaryFolder(t), 'logs', 'access.log');
  mkdirSync(dirname(file));
  const files = { 'site.yaml': documents(ingress('web'), service('web'), endpoints('web', port)) };
  return { fairlead: await startFairlead(t, { files, args: ['--workers', '2', '--access-log', file] }), file };
}

/** What its workers have open of the files that are called `file`, whatever was put behind the name. */
function logsOf(run: FairleadRun, file: string): readonly string[] {
  return childrenOf(run.child.pid).flatMap((worker) => readdirSync(`/proc/${worker}/fd`).map((fd) => targetOf(`/proc/${worker}/fd/${fd}`)).filter((target) => target.startsWith(file)));
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    // Closed since it was listed.
    return '';
  }
}
