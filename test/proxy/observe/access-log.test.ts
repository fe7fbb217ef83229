// The lines of the access log: what they say, that nobody can forge one, and that a slow reader costs lines and not time.
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { AccessLog, accessLogLine, passageLine } from '../../../proxy/observe/access-log.ts';
import { exchange, route } from '../../support/fairlead-exchange.ts';
import { eventually } from '../../support/fairlead-http.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
const endpoint = { address: '10.0.0.1', port: 8080, ready: true, serving: true, terminating: false };
const parsed = (line: string): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>;

test('a line holds the request, the object that routed it, the endpoint and the times', (t) => {
  const line = accessLogLine(exchange({
    target: '/a?b=c', path: '/a', headers: ['Host', 'shop.example.com', 'User-Agent', 'curl/8', 'REFERER', 'http://x/'], route: route('shop', 'web'), cluster: 'shop/web:80',
    attempts: [{ endpoint, startedAt: 0, elapsedMs: 1.23456, status: 200 }], status: 200,
  }), 3, 4, 5.67891, NOW);
  t.true(line.endsWith('}\n'));
  t.deepEqual(parsed(line), {
    time: '2026-01-02T03:04:05.006Z', msg: 'request', id: 'r-1', client: '192.0.2.1', method: 'GET', scheme: 'http', host: 'shop.example.com', path: '/a', target: '/a?b=c',
    protocol: 'HTTP/1.1', status: 200, reason: '', bytes_in: 3, bytes_out: 4, duration_ms: 5.679, route: 'Ingress shop/web spec.rules[0].http.paths[0]', cluster: 'shop/web:80',
    endpoint: '10.0.0.1:8080', user_agent: 'curl/8', referer: 'http://x/',
  });
});

test('tries that failed are listed with the endpoint, the reason, its detail and the time', (t) => {
  const six = { ...endpoint, address: 'fd00::1' };
  const line = parsed(accessLogLine(exchange({
    attempts: [{ endpoint: six, startedAt: 0, elapsedMs: 1, error: 'UpstreamConnectionFailure', detail: 'ECONNREFUSED: "x"\n' }, { endpoint, startedAt: 0, elapsedMs: 2, status: 200 }], status: 200,
  }), 0, 0, 3, NOW));
  t.deepEqual(line['attempts'], [{ endpoint: '[fd00::1]:8080', error: 'UpstreamConnectionFailure', detail: 'ECONNREFUSED: "x"\n', ms: 1 }, { endpoint: '10.0.0.1:8080', status: 200, ms: 2 }]);
});

test('the line of a gRPC call says what its endpoint ended it with, also where that is 0', (t) => {
  for (const grpcStatus of [0, 14]) t.is(parsed(accessLogLine(exchange({ method: 'POST', status: 200, grpcStatus }), 0, 0, 1, NOW))['grpc_status'], grpcStatus);
  t.false('grpc_status' in parsed(accessLogLine(exchange({ status: 200 }), 0, 0, 1, NOW)));
});

test('a connection that was passed through has a line with who wanted it so, where it went, what it carried and who ended it', (t) => {
  const passage = { client: '192.0.2.1', serverName: 'pass.example.com', origin: { kind: 'Ingress', namespace: 'shop', name: 'pass', field: 'metadata' }, cluster: 'shop/pass:443', endpoint, bytesIn: 517, bytesOut: 4200, elapsedMs: 1234.56789, endedBy: 'client', reason: '' } as const;
  const line = passageLine(passage, NOW);
  t.true(line.endsWith('}\n'));
  t.deepEqual(parsed(line), {
    time: '2026-01-02T03:04:05.006Z', msg: 'passthrough', client: '192.0.2.1', host: 'pass.example.com', reason: '', ended_by: 'client', bytes_in: 517, bytes_out: 4200, duration_ms: 1234.568,
    route: 'Ingress shop/pass metadata', cluster: 'shop/pass:443', endpoint: '10.0.0.1:8080',
  });
  t.deepEqual(parsed(passageLine({ ...passage, endpoint: undefined, endedBy: 'proxy', reason: 'NoHealthyUpstream' }, NOW))['endpoint'], undefined);
});

test('no client can break out of its field or begin a line of its own', (t) => {
  const evil = '"\n{"msg":"request","status":200}\u2028\\';
  const line = accessLogLine(exchange({ method: evil, hostname: evil, target: evil, headers: ['user-agent', evil, 'referer', evil], status: 400, reason: 'x' }), 0, 0, 0, NOW);
  t.is(line.indexOf('\n'), line.length - 1);
  t.is(parsed(line)['user_agent'], evil);
});

test('nor does a terminal that shows the line obey it, or a reader of lines see two', (t) => {
  const evil = '\u009b2J\u0085{"msg":"request"}\u007f\u2028\u00a0\u00e9';
  const attempts = [{ endpoint, startedAt: 0, elapsedMs: 1, error: 'UpstreamProtocolError', detail: evil }];
  const line = accessLogLine(exchange({ method: evil, target: evil, path: '', headers: ['user-agent', evil, 'referer', evil], attempts, status: 502 }), 0, 0, 0, NOW);
  t.notRegex(line, /[\p{Cc}\u2028\u2029][^]/u);
  t.like(parsed(line), { method: evil, target: evil, user_agent: evil, referer: evil, attempts: [{ detail: evil }] });
});

test('a line fits into one write of a pipe, however long and full of escapes its texts are', (t) => {
  for (const character of ['a', '\u0001', '\u009b', '"', '…', 'ÿ']) {
    const long = character.repeat(20_000);
    const attempts = Array.from({ length: 50 }, () => ({ endpoint, startedAt: 0, elapsedMs: 1, error: long, detail: long }));
    const line = accessLogLine(exchange({ method: long, hostname: long, target: long, path: long, headers: ['user-agent', long, 'referer', long], cluster: long, attempts, status: 400, reason: long }), 0, 0, 0, NOW);
    t.true(Buffer.byteLength(line) <= 4096, `${JSON.stringify(character)}: ${Buffer.byteLength(line)} bytes`);
    t.is(parsed(line)['msg'], 'request');
  }
});

test('lines are in the file after close, and a second log appends to it', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-log-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'access.log');
  for (const status of [200, 404]) {
    const log = new AccessLog(file);
    for (let i = 0; i < 1000; i++) log.observeExchange(exchange({ status }), 0, 0, 1);
    await log.close();
    t.is(log.dropped, 0);
  }
  const statuses = readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => parsed(line)['status']);
  t.is(statuses.filter((status) => status === 200).length, 1000);
  t.is(statuses.filter((status) => status === 404).length, 1000);
});

test('of lines that are written while the file is moved away and opened anew, again and again, each is in one of the files', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-log-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'access.log');
  const log = new AccessLog(file);
  const opened: Promise<void>[] = [];
  let count = 0;
  for (let nth = 0; nth < 30; nth++) {
    // More than a chunk on each, so that some wait and some are being written.
    for (let i = 0; i < 300; i++) log.observeExchange(exchange({ status: 200, target: `/${count++}` }), 0, 0, 1);
    renameSync(file, `${file}.${nth}`);
    opened.push(log.reopen());
    if (nth % 3 === 0) await Promise.all(opened);
    else await eventually('it is opened', () => existsSync(file));
  }
  t.true(await log.close());
  await Promise.all(opened);
  t.is(log.dropped, 0);
  const texts = readdirSync(dir).map((name) => readFileSync(join(dir, name), 'utf8'));
  t.is(texts.filter((text) => text !== '').length > 20, true, 'lines are spread over the files');
  const targets = texts.flatMap((text) => text.split('\n').filter((line) => line !== '').map((line) => Number(String(parsed(line)['target'] ?? parsed(line)['path']).slice(1))));
  t.deepEqual(targets.sort((a, b) => a - b), Array.from({ length: count }, (_, nth) => nth));
});

test('a log that ends while its file is opened anew loses nothing', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-log-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'access.log');
  for (const wait of [false, true]) {
    const log = new AccessLog(file);
    for (let i = 0; i < 1000; i++) log.observeExchange(exchange({ status: 200 }), 0, 0, 1);
    renameSync(file, `${file}.${wait}`);
    const opened = log.reopen();
    if (wait) await opened;
    log.observeExchange(exchange({ status: 200 }), 0, 0, 1);
    t.true(await log.close());
    await opened;
    const lines = readdirSync(dir).flatMap((name) => readFileSync(join(dir, name), 'utf8').split('\n').filter((line) => line !== ''));
    t.is(lines.length, wait ? 2002 : 1001);
  }
});

test('a file that cannot be opened anew stays in use, and so does a pipe', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-log-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  mkdirSync(join(dir, 'logs'));
  const file = join(dir, 'logs', 'access.log');
  const log = new AccessLog(file);
  renameSync(join(dir, 'logs'), join(dir, 'old'));
  for (let nth = 0; nth < 3; nth++) await t.throwsAsync(log.reopen(), { message: /^ENOENT/ });
  log.observeExchange(exchange({ status: 200 }), 0, 0, 1);
  mkdirSync(join(dir, 'logs'));
  await eventually('it goes to the old one', () => readFileSync(join(dir, 'old', 'access.log'), 'utf8') !== '');
  await log.reopen();
  log.observeExchange(exchange({ status: 404 }), 0, 0, 1);
  t.true(await log.close());
  t.is(parsed(readFileSync(join(dir, 'old', 'access.log'), 'utf8'))['status'], 200);
  t.is(parsed(readFileSync(file, 'utf8'))['status'], 404);

  const pipe = join(dir, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  const piped = new AccessLog(pipe);
  await t.throwsAsync(piped.reopen(), { message: 'it is no regular file' });
  t.true(await piped.close());
  closeSync(reader);
});

test('when nobody reads, lines are dropped and counted, whole ones arrive later, and nothing waits', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-log-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const pipe = join(dir, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  const log = new AccessLog(pipe);
  const count = 10_000;
  const startedAt = performance.now();
  for (let i = 0; i < count; i++) log.observeExchange(exchange({ status: 200 }), 0, 0, 1);
  t.true(performance.now() - startedAt < 2000);
  const chunk = Buffer.alloc(1 << 16);
  let text = '';
  const read = (): void => {
    try {
      for (let n = readSync(reader, chunk); n > 0; n = readSync(reader, chunk)) text += chunk.toString('utf8', 0, n);
    } catch {
      // EAGAIN: nothing there at the moment
    }
  };
  const timer = setInterval(read, 5);
  await log.close();
  clearInterval(timer);
  read();
  closeSync(reader);
  const lines = text.trimEnd().split('\n');
  t.true(lines.every((line) => parsed(line)['msg'] === 'request'));
  t.true(log.dropped > 0);
  t.is(lines.length + log.dropped, count);
});

test('lines of several processes that share one pipe never mix', async (t) => {
  const program = `
    import { AccessLog } from ${JSON.stringify(new URL('../../../proxy/observe/access-log.ts', import.meta.url).href)};
    import { exchange } from ${JSON.stringify(new URL('../../support/fairlead-exchange.ts', import.meta.url).href)};
    const log = new AccessLog('stdout');
    for (let i = 0; i < 1000; i++) log.observeExchange(exchange({ status: 200, target: '/' + 'x'.repeat(i % 700) }), 0, 0, 1);
    await log.close();`;
  const child = `'${process.execPath}' --input-type=module-typescript -e "$PROGRAM"`;
  const shell = spawn('sh', ['-c', `(${child} & ${child} & wait) | cat`], { env: { ...process.env, PROGRAM: program } });
  let text = '';
  shell.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  await new Promise((resolve) => shell.once('close', resolve));
  const lines = text.trimEnd().split('\n');
  t.is(lines.length, 2000);
  t.true(lines.every((line) => parsed(line)['status'] === 200));
});
