// Load as real clients make it: requests over kept HTTP/1.1 and HTTP/2 connections, over new connections, gRPC calls and
// WebSocket messages, due by the clock however long answers take. Keeps what came of each kind, when what failed was sent,
// and how long answers took.
import http from 'node:http';
import http2 from 'node:http2';
import type net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Metadata, credentials } from '@grpc/grpc-js';
import type { ExecutionContext } from 'ava';
import WebSocket from 'ws';

export type Kind = 'h1' | 'h2' | 'grpc' | 'ws' | 'fresh';

export interface MixedLoadOptions {
  /** Clear-text port. */
  readonly port: number;
  /** Requests and messages a second, all kinds together. */
  readonly rate: number;
  /** How many of ten are of which kind; four h1, three h2, one grpc and two ws if it is left out. */
  readonly mix?: readonly Kind[];
  readonly host?: string;
  readonly path?: string;
  readonly sockets?: number;
}

export interface Failure {
  readonly kind: Kind;
  readonly what: string;
  /** performance.now() */
  readonly startedAt: number;
  /** The client's port of its connection; undefined: it had none yet, or that of a gRPC channel, which cannot be seen. */
  readonly port: number | undefined;
}

/** How one request ended, and on which connection. */
type Done = (what: string, good: boolean, port?: number) => void;

export interface Report {
  /** `h1 200` → how often. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly sent: number;
  readonly failures: readonly Failure[];
  /** Milliseconds, of what did not fail. */
  readonly p50: number;
  readonly p99: number;
  /** WebSockets that were closed by the other side, and the client's port of each. */
  readonly closed: number;
  readonly closedPorts: readonly (number | undefined)[];
}

export const GRPC_HOST = 'grpc.example.com';
const MIX: readonly Kind[] = ['h1', 'h2', 'ws', 'h1', 'h2', 'grpc', 'h1', 'h2', 'ws', 'h1'];
const SESSIONS = 4;
const TICK_MS = 4;
const PATIENCE_MS = 10_000;
const asIs = (bytes: Buffer): Buffer => bytes;

export class MixedLoad {
  readonly #options: Required<MixedLoadOptions>;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
  readonly #sessions: (http2.ClientHttp2Session | undefined)[] = Array.from({ length: SESSIONS }, () => undefined);
  /** The client's port of each connection: a session forgets it when it ends. */
  readonly #locals = new WeakMap<object, number | undefined>();
  readonly #grpc: Client;
  readonly #sockets: WebSocket[] = [];
  #outcomes = new Map<string, number>();
  #failures: Failure[] = [];
  #times: number[] = [];
  #closed: (number | undefined)[] = [];
  #sent = 0;
  #pending = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;

  private constructor(options: MixedLoadOptions) {
    this.#options = { mix: MIX, host: 'shop.example.com', path: '/page', sockets: 20, ...options };
    this.#grpc = new Client(`127.0.0.1:${options.port}`, credentials.createInsecure(), { 'grpc.default_authority': GRPC_HOST, 'grpc.enable_retries': 0 });
  }

  /** Opens its WebSockets and begins to send. It ends with the test at the latest. */
  static async start(t: ExecutionContext, options: MixedLoadOptions): Promise<MixedLoad> {
    const load = new MixedLoad(options);
    t.teardown(() => load.#end());
    if (load.#options.mix.includes('ws')) for (let nth = 0; nth < load.#options.sockets; nth++) await load.#openSocket(nth);
    load.#begin();
    return load;
  }

  /** What has come since the start, or since the last time. */
  lap(): Report {
    const times = this.#times.sort((a, b) => a - b);
    const report: Report = {
      outcomes: Object.fromEntries([...this.#outcomes].sort(([a], [b]) => a.localeCompare(b))),
      sent: [...this.#outcomes.values()].reduce((sum, count) => sum + count, 0),
      failures: this.#failures,
      p50: times[Math.floor(times.length * 0.5)] ?? 0,
      p99: times[Math.floor(times.length * 0.99)] ?? 0,
      closed: this.#closed.length,
      closedPorts: this.#closed,
    };
    this.#outcomes = new Map();
    this.#failures = [];
    this.#times = [];
    this.#closed = [];
    return report;
  }

  /** Sends nothing more, waits for what is under way, and closes everything. */
  async stop(): Promise<Report> {
    clearInterval(this.#timer);
    for (const end = performance.now() + PATIENCE_MS; this.#pending > 0 && performance.now() < end; await pause(5));
    if (this.#pending > 0) this.#failures.push({ kind: 'h1', what: `${this.#pending} without an answer after ${PATIENCE_MS} ms`, startedAt: performance.now(), port: undefined });
    this.#stopping = true;
    const report = this.lap();
    this.#end();
    return report;
  }

  #end(): void {
    this.#stopping = true;
    clearInterval(this.#timer);
    this.#agent.destroy();
    this.#grpc.close();
    for (const session of this.#sessions) session?.destroy();
    for (const socket of this.#sockets) socket.terminate();
  }

  #begin(): void {
    const startedAt = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - startedAt) / 1000) * this.#options.rate;
      // A process that was held up does not make good for it in one burst.
      if (due - this.#sent > this.#options.rate) this.#sent = Math.floor(due - this.#options.rate / 10);
      for (; this.#sent < due; this.#sent++) this.#one(this.#options.mix[this.#sent % this.#options.mix.length] as Kind);
    }, TICK_MS);
  }

  #one(kind: Kind): void {
    const startedAt = performance.now();
    this.#pending++;
    let over = false;
    const done: Done = (what, good, port) => {
      if (over) return;
      over = true;
      this.#pending--;
      if (this.#stopping) return;
      const label = `${kind} ${what}`;
      this.#outcomes.set(label, (this.#outcomes.get(label) ?? 0) + 1);
      if (good) this.#times.push(performance.now() - startedAt);
      else this.#failures.push({ kind, what, startedAt, port });
    };
    if (kind === 'h1' || kind === 'fresh') this.#http1(kind === 'h1' ? this.#agent : false, done);
    else if (kind === 'h2') this.#http2(done, 0);
    else if (kind === 'grpc') this.#call(done);
    else this.#message(startedAt, done);
  }

  #http1(agent: http.Agent | false, done: Done): void {
    const { port, host, path } = this.#options;
    let local: number | undefined;
    const request = http.get({ port, host: '127.0.0.1', path, agent, headers: { host }, timeout: PATIENCE_MS }, (response) => {
      response.resume();
      response.on('end', () => done(String(response.statusCode), response.statusCode === 200, local));
      response.on('error', (error) => done(error.message, false, local));
    });
    request.on('socket', (socket) => {
      local = socket.localPort;
      if (socket.connecting) socket.once('connect', () => (local = socket.localPort));
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', (error) => done(error.message, false, local));
  }

  /** What met the end of its connection before anybody looked at it is sent again (RFC 9113 §8.7), as browsers do. */
  #http2(done: Done, again: number): void {
    const { host, path } = this.#options;
    const session = this.#session(Math.floor(Math.random() * SESSIONS));
    let status = '';
    let moved = false;
    const stream = session.request({ ':path': path, ':authority': host });
    stream.setTimeout(PATIENCE_MS, () => stream.close(http2.constants.NGHTTP2_CANCEL));
    stream.on('response', (headers) => (status = String(headers[':status'])));
    stream.on('error', (error) => {
      moved = /REFUSED_STREAM|GOAWAY/.test(error.message) && again < 3;
      if (moved) this.#http2(done, again + 1);
      else done(error.message, false, this.#locals.get(session));
    });
    let whole = false;
    stream.on('end', () => (whole = true));
    stream.on('close', () => (moved ? undefined : done(whole && status !== '' ? status : 'cut', whole && status === '200', this.#locals.get(session))));
    stream.resume();
  }

  #session(nth: number): http2.ClientHttp2Session {
    const present = this.#sessions[nth];
    if (present !== undefined && !present.closed && !present.destroyed) return present;
    const session = http2.connect(`http://127.0.0.1:${this.#options.port}`);
    session.on('error', () => undefined);
    session.on('connect', (_session, socket) => this.#locals.set(session, (socket as net.Socket).localPort));
    session.on('goaway', () => session.close());
    this.#sessions[nth] = session;
    return session;
  }

  #call(done: Done): void {
    const message = Buffer.from('hello');
    this.#grpc.makeUnaryRequest('/test.Echo/Say', asIs, asIs, message, new Metadata(), { deadline: Date.now() + PATIENCE_MS }, (error, answer) => {
      if (error !== null) done(`${error.code} ${error.details}`, false);
      else done(answer?.equals(message) === true ? 'ok' : 'another message', answer?.equals(message) === true);
    });
  }

  async #openSocket(nth: number): Promise<void> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#options.port}/live`, { headers: { host: this.#options.host } });
    this.#sockets[nth] = socket;
    socket.once('upgrade', (response) => this.#locals.set(socket, response.socket.localPort));
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#stopping) return;
      this.#closed.push(this.#locals.get(socket));
      // A real client comes again.
      const reopen = (): void => void this.#openSocket(nth).catch(() => setTimeout(() => this.#stopping || reopen(), 50));
      reopen();
    });
  }

  #message(startedAt: number, done: Done): void {
    const socket = this.#sockets[Math.floor(Math.random() * this.#sockets.length)];
    // Its closing has been counted.
    if (socket === undefined || socket.readyState !== WebSocket.OPEN) return done('not open', true);
    const text = `${startedAt} ${Math.random()}`;
    const onMessage = (data: WebSocket.RawData): void => {
      if (String(data) !== text) return;
      finish('echo', true);
    };
    const onClose = (): void => finish('closed', false);
    const finish = (what: string, good: boolean): void => {
      socket.off('message', onMessage);
      socket.off('close', onClose);
      done(what, good, this.#locals.get(socket));
    };
    socket.on('message', onMessage);
    socket.once('close', onClose);
    socket.setMaxListeners(0);
    socket.send(text);
  }
}
