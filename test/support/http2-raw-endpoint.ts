// An HTTP/2 endpoint that speaks in frames, so that it can do all that no server library would: resets with any code at any
// moment, GOAWAY with any last stream, SETTINGS that come late or never. It keeps what became of every stream.
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import type { Endpoint } from '../../proxy/table/cluster.ts';
import { endpointAt } from './endpoint-raw.ts';
import { FLAG, FRAME, frame, headerBlock, rst } from './raw-http2.ts';
import type { Frame } from './raw-http2.ts';

const PREFACE_BYTES = 24;
const SETTING = { maxConcurrentStreams: 3, initialWindowSize: 4 } as const;

export type Fields = readonly (readonly [string, string])[];
export const OK: Fields = [[':status', '200']];

/** One request as it arrived. */
export interface RawStream {
  readonly id: number;
  readonly connection: RawHttp2Connection;
  bytes: number;
  /** END_STREAM has come: the message is complete. */
  ended: boolean;
  /** HEADERS frames: the second one holds trailers. */
  blocks: number;
  /** Code of the RST_STREAM that came. */
  reset: number | undefined;
}

/** Called with the head of a request (default), or when it is complete. */
export type RawScript = (stream: RawStream, connection: RawHttp2Connection) => void;

export interface RawHttp2Options {
  readonly tls?: tls.TlsOptions;
  readonly on?: 'head' | 'complete';
  readonly maxConcurrentStreams?: number;
  readonly initialWindowSize?: number;
  /** False: the endpoint never gives back the window that data took. */
  readonly takesData?: boolean;
  /** False: it says nothing of itself. */
  readonly greets?: boolean;
  /** False: PINGs are not answered. */
  readonly answersPings?: boolean;
}

export class RawHttp2Connection {
  readonly socket: net.Socket;
  readonly nth: number;
  readonly frames: Frame[] = [];
  readonly streams = new Map<number, RawStream>();
  closed = false;
  /** Octets of DATA that the proxy still takes. */
  #window = 65_535;
  #streamWindow = 65_535;
  readonly #windows = new Map<number, number>();
  readonly #script: RawScript;
  readonly #options: RawHttp2Options;
  #rest = Buffer.alloc(0);
  #greeted = false;
  #asked = 0;

  constructor(socket: net.Socket, nth: number, script: RawScript, options: RawHttp2Options) {
    this.socket = socket;
    this.nth = nth;
    this.#script = script;
    this.#options = options;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('close', () => (this.closed = true));
    socket.on('error', () => {});
    if (options.greets !== false) this.settings(options);
  }

  write(...parts: Buffer[]): void {
    if (this.socket.writable) this.socket.write(Buffer.concat(parts));
  }

  settings({ maxConcurrentStreams, initialWindowSize }: Pick<RawHttp2Options, 'maxConcurrentStreams' | 'initialWindowSize'>): void {
    const entries: Buffer[] = [];
    if (maxConcurrentStreams !== undefined) entries.push(setting(SETTING.maxConcurrentStreams, maxConcurrentStreams));
    if (initialWindowSize !== undefined) entries.push(setting(SETTING.initialWindowSize, initialWindowSize));
    this.write(frame(FRAME.SETTINGS, 0, 0, Buffer.concat(entries)));
  }

  goaway(lastStream: number, code = 0): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(lastStream);
    payload.writeUInt32BE(code, 4);
    this.write(frame(FRAME.GOAWAY, 0, 0, payload));
  }

  /** Resolves when the proxy has taken in all that was sent so far. */
  async roundTrip(): Promise<void> {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(++this.#asked);
    this.write(frame(FRAME.PING, 0, 0, payload));
    const deadline = performance.now() + 5_000;
    while (!this.frames.some((each) => each.type === FRAME.PING && (each.flags & FLAG.ACK) !== 0 && each.payload.equals(payload))) {
      if (performance.now() > deadline) throw new Error('no answer to PING');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Octets of DATA that may be sent on the stream now. */
  sendWindow(stream: RawStream): number {
    return Math.min(this.#window, this.#windows.get(stream.id) ?? this.#streamWindow);
  }

  /** Counts DATA that is sent. */
  spend(stream: RawStream, octets: number): void {
    this.#window -= octets;
    this.#windows.set(stream.id, (this.#windows.get(stream.id) ?? this.#streamWindow) - octets);
  }

  /** Frames of the whole connection of one kind. */
  seen(type: number): Frame[] {
    return this.frames.filter((each) => each.type === type);
  }

  #read(chunk: Buffer): void {
    let bytes = Buffer.concat([this.#rest, chunk]);
    if (!this.#greeted) {
      if (bytes.length < PREFACE_BYTES) {
        this.#rest = bytes;
        return;
      }
      this.#greeted = true;
      bytes = bytes.subarray(PREFACE_BYTES);
    }
    while (bytes.length >= 9) {
      const length = bytes.readUIntBE(0, 3);
      if (bytes.length < 9 + length) break;
      this.#take({ type: bytes[3] as number, flags: bytes[4] as number, stream: bytes.readUInt32BE(5) & 0x7fffffff, payload: Buffer.from(bytes.subarray(9, 9 + length)) });
      bytes = bytes.subarray(9 + length);
    }
    this.#rest = Buffer.from(bytes);
  }

  #take(one: Frame): void {
    this.frames.push(one);
    const ended = (one.flags & FLAG.END_STREAM) !== 0;
    switch (one.type) {
      case FRAME.SETTINGS:
        if ((one.flags & FLAG.ACK) !== 0) return;
        for (let at = 0; at < one.payload.length; at += 6) if (one.payload.readUInt16BE(at) === SETTING.initialWindowSize) this.#streamWindow = one.payload.readUInt32BE(at + 2);
        if (this.#options.greets !== false) this.write(frame(FRAME.SETTINGS, FLAG.ACK, 0));
        return;
      case FRAME.WINDOW_UPDATE:
        if (one.stream === 0) this.#window += one.payload.readUInt32BE(0);
        else this.#windows.set(one.stream, (this.#windows.get(one.stream) ?? this.#streamWindow) + one.payload.readUInt32BE(0));
        return;
      case FRAME.PING:
        if ((one.flags & FLAG.ACK) === 0 && this.#options.answersPings !== false) this.write(frame(FRAME.PING, FLAG.ACK, 0, one.payload));
        return;
      case FRAME.HEADERS:
        this.#headers(one.stream, ended);
        return;
      case FRAME.DATA: {
        const stream = this.streams.get(one.stream);
        if (stream === undefined) return;
        stream.bytes += one.payload.length;
        if (this.#options.takesData !== false && one.payload.length > 0) this.write(windowUpdate(0, one.payload.length), windowUpdate(one.stream, one.payload.length));
        if (ended) this.#ended(stream);
        return;
      }
      case FRAME.RST_STREAM: {
        const stream = this.streams.get(one.stream);
        if (stream !== undefined) stream.reset = one.payload.readUInt32BE(0);
      }
    }
  }

  #headers(id: number, ended: boolean): void {
    let stream = this.streams.get(id);
    if (stream === undefined) {
      stream = { id, connection: this, bytes: 0, ended: false, blocks: 1, reset: undefined };
      this.streams.set(id, stream);
      if (this.#options.on !== 'complete') this.#script(stream, this);
    } else {
      stream.blocks++;
    }
    if (ended) this.#ended(stream);
  }

  #ended(stream: RawStream): void {
    stream.ended = true;
    if (this.#options.on === 'complete') this.#script(stream, this);
  }
}

export interface RawHttp2Endpoint {
  readonly endpoint: Endpoint;
  readonly connections: RawHttp2Connection[];
  /** Every request of every connection. */
  streams(): RawStream[];
  open(): number;
  close(): Promise<void>;
}

export async function rawHttp2Endpoint(script: RawScript, options: RawHttp2Options = {}): Promise<RawHttp2Endpoint> {
  const connections: RawHttp2Connection[] = [];
  const accept = (socket: net.Socket): void => void connections.push(new RawHttp2Connection(socket, connections.length, script, options));
  const server = options.tls === undefined ? net.createServer({ noDelay: true }, accept) : tls.createServer({ ALPNProtocols: ['h2'], ...options.tls }, accept);
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: endpointAt((server.address() as net.AddressInfo).port),
    connections,
    streams: () => connections.flatMap((connection) => [...connection.streams.values()]),
    open: () => connections.filter((connection) => !connection.closed).length,
    close: async () => {
      for (const { socket } of connections) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Frames of an answer. */
export function head(stream: RawStream, fields: Fields = OK, end = false): Buffer {
  return frame(FRAME.HEADERS, FLAG.END_HEADERS | (end ? FLAG.END_STREAM : 0), stream.id, headerBlock(fields));
}

export function data(stream: RawStream, text: string | Buffer, end = false): Buffer {
  return frame(FRAME.DATA, end ? FLAG.END_STREAM : 0, stream.id, text);
}

export function reset(stream: RawStream, code: number): Buffer {
  return rst(stream.id, code);
}

/** Answers with this body, complete. */
export function answers(body: string, fields: Fields = OK): RawScript {
  return (stream, connection) => connection.write(head(stream, fields), data(stream, body, true));
}

function setting(id: number, value: number): Buffer {
  const entry = Buffer.alloc(6);
  entry.writeUInt16BE(id);
  entry.writeUInt32BE(value, 2);
  return entry;
}

function windowUpdate(stream: number, bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return frame(FRAME.WINDOW_UPDATE, 0, stream, payload);
}
