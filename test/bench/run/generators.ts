// The load generators: wrk for HTTP/1.1, h2load for HTTP/2, and the bench's own client where a rate has to be kept or none of
// the two can do it. All of them run on the processor that is not the proxy's.
import { fileURLToPath } from 'node:url';
import type { Order, Outcome } from '../client/order.ts';
import { runToEnd, start, waitFor } from './process.ts';
import type { Program } from './process.ts';

const CLIENT = fileURLToPath(new URL('../client/main.ts', import.meta.url));
const WRK_SCRIPT = fileURLToPath(new URL('../client/wrk.lua', import.meta.url));
/** What a generator may take beyond the seconds that it was told. */
const MARGIN_MS = 15_000;
/** For thousands of TLS handshakes on a machine that has other things to do. */
const OPENING_MS = 180_000;

export interface Counts {
  readonly requests: number;
  readonly errors: number;
  readonly seconds: number;
  /** Received; 0 where the generator does not say. */
  readonly bytes: number;
}

export interface WrkOrder {
  readonly tls: boolean;
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  readonly method?: string;
  readonly path?: string;
  readonly bodyBytes?: number;
  /** A connection for every request. */
  readonly fresh?: boolean;
  /** Hosts and paths of a large table to spread requests over. */
  readonly hosts?: number;
  readonly paths?: number;
}

export async function wrk(order: WrkOrder, cpus: string | undefined): Promise<Counts> {
  const url = `${order.tls ? 'https' : 'http'}://127.0.0.1:${order.port}${order.path ?? '/'}`;
  const close = order.fresh === true ? ['-H', 'Connection: close'] : [];
  const script = [order.method ?? 'GET', order.bodyBytes ?? 0, order.hosts ?? 0, order.paths ?? 0].map(String);
  const args = ['-t', '1', '-c', String(order.connections), '-d', `${order.seconds}s`, '--timeout', '10s', ...close, '-s', WRK_SCRIPT, url, '--', ...script];
  const output = await runToEnd('wrk', args, { cpus }, order.seconds * 1000 + MARGIN_MS);
  const line = output.split('\n').find((text) => text.startsWith('{"requests"'));
  if (line === undefined) throw new Error(`wrk gave no counts: ${output}`);
  const { requests, bytes, microseconds, connect, read, write, status, timeout } = JSON.parse(line) as Record<string, number>;
  const errors = (connect ?? 0) + (read ?? 0) + (write ?? 0) + (status ?? 0) + (timeout ?? 0);
  return { requests: requests ?? 0, errors, seconds: (microseconds ?? 0) / 1e6, bytes: bytes ?? 0 };
}

export interface H2loadOrder {
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly streams: number;
  readonly seconds: number;
  readonly headers?: readonly string[];
  /** File to send as the body of a POST. */
  readonly bodyFile?: string;
}

export async function h2load(order: H2loadOrder, cpus: string | undefined): Promise<Counts> {
  const headers = (order.headers ?? []).flatMap((header) => ['-H', header]);
  const body = order.bodyFile === undefined ? [] : ['-d', order.bodyFile];
  const args = ['-t', '1', '-c', String(order.connections), '-m', String(order.streams), '-D', String(order.seconds), ...headers, ...body, `https://127.0.0.1:${order.port}${order.path}`];
  const output = await runToEnd('h2load', args, { cpus }, order.seconds * 1000 + MARGIN_MS);
  const [, done = '0', succeeded = '0'] = /(\d+) done, (\d+) succeeded/.exec(output) ?? [];
  const [, good = '0'] = /status codes: (\d+) 2xx/.exec(output) ?? [];
  if (done === '0') throw new Error(`h2load got no answer: ${output.slice(-600)}`);
  return { requests: Number(done), errors: Number(done) - Math.min(Number(succeeded), Number(good)), seconds: order.seconds, bytes: 0 };
}

/** Full TLS handshakes, by several `openssl s_time` at once; each closes its connection when the handshake is done. */
export async function handshakes(port: number, seconds: number, cpus: string | undefined): Promise<Counts> {
  const SIDE_BY_SIDE = 4;
  const args = ['s_time', '-connect', `127.0.0.1:${port}`, '-new', '-time', String(seconds)];
  const start = performance.now();
  const outputs = await Promise.all(Array.from({ length: SIDE_BY_SIDE }, () => runToEnd('openssl', args, { cpus }, 2 * seconds * 1000 + MARGIN_MS)));
  const counts = outputs.map((output) => Number(/(\d+) connections in \d+ real seconds/.exec(output)?.[1] ?? 0));
  return { requests: counts.reduce((sum, count) => sum + count, 0), errors: counts.filter((count) => count === 0).length, seconds: (performance.now() - start) / 1000, bytes: 0 };
}

const PLAIN_ORDER = { protocol: 'http1', tls: false, method: 'GET', path: '/', host: 'bench.example', headers: {}, bodyBytes: 0, connections: 32, fresh: false } as const;
export type ClientOrder = Partial<Order> & Pick<Order, 'port' | 'seconds'>;

/** The bench's own client; see client/order.ts for what it can be told. */
export async function client(order: ClientOrder, cpus: string | undefined): Promise<Outcome> {
  const full: Order = { ...PLAIN_ORDER, rate: 0, ...order };
  return JSON.parse(await runToEnd(process.execPath, [CLIENT, JSON.stringify(full)], { cpus }, order.seconds * 1000 + MARGIN_MS)) as Outcome;
}

/** Opens connections, sends one request on each, and leaves them open until the program is stopped. */
export async function idleClient(order: ClientOrder, cpus: string | undefined): Promise<Program> {
  const program = start(process.execPath, [CLIENT, JSON.stringify({ ...PLAIN_ORDER, ...order })], { cpus });
  const line = await waitFor(program, 'the client', () => /^\{"open".*$/m.exec(program.output())?.[0], OPENING_MS);
  const { errors } = JSON.parse(line) as { errors: number };
  if (errors > 0) throw new Error(`${errors} connections got no answer`);
  return program;
}
