// Clients that do a few things, in any order, and then nothing for ever: requests, parts of requests, frames, windows, a pause of
// their reading, an end of their sending. And endpoints whose answers begin, stop or end in every way.
import type { Socket } from 'node:net';
import { FLAG, FRAME, frame, headerBlock, requestFields, rst } from '../../support/raw-http2.ts';
import type { Random } from '../fuzz/random.ts';

/** Bytes to send, or what else a client does. */
export type Step = Buffer | 'pause' | 'resume' | 'end';

const BIG = Buffer.alloc(3_000_000, 'x');
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: ';
const SWITCHED = 'HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';

/** By path. */
const ANSWERS: Readonly<Record<string, (socket: Socket) => void>> = {
  '/ok': (socket) => void socket.write(`${OK}2\r\n\r\nok`),
  '/block': (socket) => void socket.write(`${OK}40000\r\n\r\n${'x'.repeat(40_000)}`),
  '/parts': (socket) => {
    socket.write(`${OK}12100\r\n\r\n${'x'.repeat(100)}`);
    setTimeout(() => socket.write('x'.repeat(12_000)), 50);
  },
  '/big': (socket) => void (socket.write(`${OK}${BIG.length}\r\n\r\n`) && socket.write(BIG)),
  '/chunks': (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${BIG.length.toString(16)}\r\n`);
    socket.write(BIG);
    socket.write('\r\n0\r\n\r\n');
  },
  '/until-close': (socket) => void socket.end(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(50_000)}`),
  '/refuse': (socket) => void socket.write('HTTP/1.1 403 X\r\ncontent-length: 2\r\n\r\nno'),
  '/refuse-and-close': (socket) => void socket.end('HTTP/1.1 403 X\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno'),
  '/half': (socket) => void socket.write(`${OK}10\r\n\r\nhello`),
  '/leave': (socket) => void socket.end(),
  '/reset': (socket) => void socket.resetAndDestroy(),
  '/continue': (socket) => void socket.write('HTTP/1.1 100 Continue\r\n\r\n'),
  '/hints': (socket) => void socket.write('HTTP/1.1 103 X\r\nlink: a\r\n\r\n'),
  '/switch': (socket) => void socket.write(SWITCHED),
  '/switch-and-send': (socket) => void (socket.write(SWITCHED) && socket.write(BIG)),
  '/silent': () => undefined,
};
const PATHS = Object.keys(ANSWERS);

export function answerTo(path: string, socket: Socket): void {
  ANSWERS[path]?.(socket);
}

const text = (bytes: string): Buffer => Buffer.from(bytes, 'latin1');

export function http1Step(random: Random): Step {
  const path = random.pick(PATHS);
  const get = (version: string, more = ''): string => `GET ${path} HTTP/${version}\r\nHost: a\r\n${more}\r\n`;
  const post = (fields: string, body: string): string => `POST ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`;
  const steps: readonly (() => Step)[] = [
    () => text(get('1.1')),
    () => text(get('1.1').repeat(2)),
    () => text(get('1.0', random.pick(['', 'Connection: keep-alive\r\n']))),
    () => text(get('1.1', 'Connection: upgrade\r\nUpgrade: websocket\r\n') + random.pick(['', 'early'])),
    () => text(post(`Content-Length: ${random.pick([2, 10, 70_000, 150_000, 1_000_000])}\r\n`, 'hi')),
    () => text(post('Transfer-Encoding: chunked\r\n', random.pick(['', '2\r\nhi', '2\r\nhi\r\n', '2\r\nhi\r\n0\r\n\r\n', '2\r\nhi\r\n0\r\na: b', 'zz']))),
    () => text(post(`Expect: 100-continue\r\n${random.pick(['Content-Length: 10\r\n', 'Transfer-Encoding: chunked\r\n'])}`, random.pick(['', '2']))),
    () => text('OPTIONS * HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n'),
    () => text('x'.repeat(random.pick([1, 8, 69_998]))),
    () => text(random.pick(['GET / HTTP/1.1\r\nHo', '\r\n', '\r', 'BAD\r\n\r\n'])),
    () => random.pick(['pause', 'resume', 'end']),
  ];
  return random.pick(steps)();
}

/** What a client of HTTP/2 has opened: how many streams, and those on which it has more to send. */
export interface Opened {
  count: number;
  uploads: number[];
}

export function http2Step(random: Random, opened: Opened): Step {
  // What flow control can stop is where most can go wrong.
  const path = random.pick([...PATHS, '/parts', '/parts', '/parts', '/parts', '/block', '/block']);
  const begin = (method: string, more: readonly (readonly [string, string])[] = [], whole = true): Buffer => {
    const stream = opened.count++ * 2 + 1;
    if (method === 'POST') opened.uploads.push(stream);
    return frame(FRAME.HEADERS, (whole ? FLAG.END_HEADERS : 0) | (method === 'POST' ? 0 : FLAG.END_STREAM), stream, headerBlock(requestFields(method, path, 'a', more)));
  };
  const some = (): number => Math.max(0, opened.count - random.pick([1, 1, 2, 3])) * 2 + 1;
  const ended = (): number => opened.uploads.pop() ?? (random.once(8) ? some() : 0);
  const window = (): Step => frame(FRAME.WINDOW_UPDATE, 0, random.pick([0, some(), some(), some()]), number(random.pick([1, 100, 10_000, 20_000, 1_000_000])));
  const steps: readonly (() => Step)[] = [
    () => begin('GET'),
    () => begin('GET'),
    () => begin('GET'),
    () => begin('POST', random.pick([[], [['content-length', '10']], [['content-length', '500000']], [['expect', '100-continue']]])),
    () => onStream(opened.uploads.at(-1) ?? 0, (stream) => frame(FRAME.DATA, 0, stream, 'x'.repeat(random.pick([0, 1, 10, 16_000])))),
    () => onStream(ended(), (stream) => frame(FRAME.DATA, FLAG.END_STREAM, stream, 'x'.repeat(random.pick([0, 10])))),
    () => onStream(ended(), (stream) => frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, stream, headerBlock([['x', 'y']]))),
    window,
    window,
    window,
    () => initialWindow(random.pick([0, 100, 5_000, 1_000_000])),
    () => (random.once(3) ? rst(some(), 8) : window()),
    () => (random.once(3) ? frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(8)) : window()),
    () => (random.once(3) ? begin('GET', [], false) : random.pick(['pause', 'resume', Buffer.from([0, 1, 0, 0, 0])])),
  ];
  // Frames of a stream that was never opened would end most connections at once.
  return opened.count === 0 ? begin('GET') : random.pick(steps)();
}

/** Nothing where there is no such stream. */
function onStream(stream: number, make: (stream: number) => Buffer): Buffer {
  return stream === 0 ? Buffer.alloc(0) : make(stream);
}

export function initialWindow(octets: number): Buffer {
  return frame(FRAME.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, 4]), number(octets)]));
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
