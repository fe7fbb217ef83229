// HTTP/2 frames by hand, so that a test can send what no client library would: header blocks without compression, and any
// frame in any order.
import net from 'node:net';
import { once } from 'node:events';

export const FRAME = { DATA: 0, HEADERS: 1, PRIORITY: 2, RST_STREAM: 3, SETTINGS: 4, PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8, CONTINUATION: 9 } as const;
export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4 } as const;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

/** A header block of literal fields that are never indexed (RFC 7541 §6.2.3). */
export function headerBlock(fields: readonly (readonly [string, string])[]): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) parts.push(Buffer.from([0x10]), literal(name), literal(value));
  return Buffer.concat(parts);
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([integer(bytes.length), bytes]);
}

/** An integer with a 7-bit prefix (RFC 7541 §5.1). */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const out = [127];
  let left = value - 127;
  while (left >= 128) {
    out.push((left & 127) | 128);
    left >>= 7;
  }
  out.push(left);
  return Buffer.from(out);
}

export function rst(stream: number, code: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(code);
  return frame(FRAME.RST_STREAM, 0, stream, payload);
}

/** Pseudo-header fields of a request, ready for `headerBlock`. */
export function requestFields(method: string, path: string, authority = 'a.test', more: readonly (readonly [string, string])[] = []): (readonly [string, string])[] {
  return [[':method', method], [':scheme', 'http'], [':path', path], [':authority', authority], ...more];
}

/** A clear-text HTTP/2 connection with prior knowledge. */
export class RawHttp2Client {
  readonly socket: net.Socket;
  readonly frames: Frame[] = [];
  closed = false;
  #rest = Buffer.alloc(0);

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('close', () => (this.closed = true));
    socket.on('error', () => undefined);
  }

  static async connect(port: number): Promise<RawHttp2Client> {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    const client = new RawHttp2Client(socket);
    await once(socket, 'connect');
    client.write(Buffer.from(PREFACE, 'latin1'), frame(FRAME.SETTINGS, 0, 0));
    return client;
  }

  write(...parts: Buffer[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  headers(stream: number, fields: readonly (readonly [string, string])[], endStream: boolean): Buffer {
    return frame(FRAME.HEADERS, FLAG.END_HEADERS | (endStream ? FLAG.END_STREAM : 0), stream, headerBlock(fields));
  }

  /** Waits until a frame satisfies `look`. */
  async until(look: (frame: Frame) => boolean, ms = 5000): Promise<Frame> {
    const deadline = performance.now() + ms;
    for (;;) {
      const found = this.frames.find(look);
      if (found !== undefined) return found;
      if (performance.now() > deadline) throw new Error(`no such frame within ${ms} ms${this.closed ? ', closed' : ''}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  destroy(): void {
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    let bytes = Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= 9) {
      const length = bytes.readUIntBE(0, 3);
      if (bytes.length < 9 + length) break;
      const seen: Frame = { type: bytes[3] as number, flags: bytes[4] as number, stream: bytes.readUInt32BE(5) & 0x7fffffff, payload: Buffer.from(bytes.subarray(9, 9 + length)) };
      this.frames.push(seen);
      if (seen.type === FRAME.SETTINGS && (seen.flags & FLAG.ACK) === 0 && this.socket.writable) this.socket.write(frame(FRAME.SETTINGS, FLAG.ACK, 0));
      bytes = bytes.subarray(9 + length);
    }
    this.#rest = Buffer.from(bytes);
  }
}
