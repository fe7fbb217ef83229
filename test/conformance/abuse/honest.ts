// Honest clients of HTTP/1.1 and HTTP/2 that ask all the time while somebody else abuses the proxy: what they lost, on whose
// connection, and how long they waited for their answers.
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { ownersOf } from '../../support/sockets.ts';

export interface Loss {
  /** The worker that served the connection; undefined: the connection was cut before its first answer. */
  readonly worker: number | undefined;
  readonly what: string;
}

export interface HonestClients {
  /** Since the last call. */
  losses(): readonly Loss[];
  /** Answers so far. */
  answered(): number;
  /** Milliseconds that each answer took, since the last call, by worker. */
  waits(): ReadonlyMap<number, readonly number[]>;
  stop(): Promise<void>;
}

/** Honest clients of each kind. */
const CLIENTS = 4;
const PATIENCE_MS = 10_000;

interface Connection {
  readonly socket: net.Socket;
  ask(): Promise<string>;
  /** The server said that this was its last answer here (RFC 9112 §9.6, RFC 9113 §6.8): what a busy one does, and no loss. */
  last(): boolean;
  close(): void;
}

/** `path`: where the answer is `ok`. */
export function startHonest(port: number, workers: () => readonly number[], path: string): HonestClients {
  let losses: Loss[] = [];
  let waits = new Map<number, number[]>();
  let answered = 0;
  let over = false;
  const loop = async (connect: () => Promise<Connection>): Promise<void> => {
    while (!over) {
      const connection = await connect().catch(() => undefined);
      if (connection === undefined) {
        // Nobody listens.
        await pause(20);
        continue;
      }
      let worker: number | undefined;
      try {
        while (!over && !connection.last()) {
          const began = performance.now();
          const body = await inTime(connection.ask());
          const took = performance.now() - began;
          if (body !== 'ok') throw new Error(`the answer was ${JSON.stringify(body.slice(0, 100))}`);
          // Whose it is can be seen once it is answered: until then it may wait to be accepted.
          worker ??= ownersOf(port, workers()).get(connection.socket.localPort ?? 0);
          answered++;
          const own = waits.get(worker ?? 0);
          if (own === undefined) waits.set(worker ?? 0, [took]);
          else own.push(took);
          await pause(5);
        }
      } catch (error) {
        if (!over) losses.push({ worker, what: String(error) });
      }
      connection.close();
    }
  };
  const loops = Array.from({ length: CLIENTS }, () => [loop(() => connectHttp1(port, path)), loop(() => connectHttp2(port, path))]).flat();
  return {
    losses: () => {
      const seen = losses;
      losses = [];
      return seen;
    },
    answered: () => answered,
    waits: () => {
      const seen = waits;
      waits = new Map();
      return seen;
    },
    stop: async () => {
      over = true;
      await Promise.all(loops);
    },
  };
}

/** A request on a connection that went at the same moment may have no end of its own. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${PATIENCE_MS + 1_000} ms`)), PATIENCE_MS + 1_000);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

async function connected(port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return socket.on('error', () => undefined);
}

async function connectHttp1(port: number, path: string): Promise<Connection> {
  const socket = await connected(port);
  // One connection, handed out for every request.
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = () => socket;
  let last = false;
  const ask = (): Promise<string> =>
    new Promise((resolve, reject) => {
      // The agent would wait for ever for a socket that is gone.
      if (socket.destroyed || socket.readableEnded) throw new Error('the connection was closed between two requests');
      const request = http.get({ agent, host: '127.0.0.1', port, path, headers: { host: 'shop.example.com' }, timeout: PATIENCE_MS }, (response) => {
        let body = '';
        last = response.headers.connection === 'close';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('error', reject).on('end', () => resolve(body));
      });
      request.on('error', reject).on('timeout', () => request.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)));
    });
  return { socket, ask, last: () => last, close: () => socket.destroy() };
}

async function connectHttp2(port: number, path: string): Promise<Connection> {
  const socket = await connected(port);
  const session = http2.connect('http://shop.example.com', { createConnection: () => socket });
  let last = false;
  session.on('error', () => undefined).on('goaway', (code) => (last = code === http2.constants.NGHTTP2_NO_ERROR));
  const ask = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':path': path, ':authority': 'shop.example.com' });
      let body = '';
      stream.setEncoding('utf8').on('data', (text: string) => (body += text));
      stream.setTimeout(PATIENCE_MS, () => stream.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)));
      stream.on('error', reject).on('end', () => resolve(body));
      stream.on('close', () => reject(new Error('the stream was closed')));
    });
  return { socket, ask, last: () => last, close: () => session.destroy() };
}
