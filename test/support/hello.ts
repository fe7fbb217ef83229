// ClientHellos made byte by byte, with whatever in them, and what a server answers to them: for names that no TLS client
// would send. TLS 1.2 alone, where the server's certificate can be read from the wire.
import { randomBytes, X509Certificate } from 'node:crypto';
import { connect } from 'node:net';

/** `serverName`: the bytes of the name; absent: no such extension; `extension`: instead of a proper extension body. */
export interface HelloWishes {
  readonly serverName?: Buffer | string;
  readonly extension?: Buffer;
  /** Cut the message into records of this many bytes. */
  readonly recordBytes?: number;
}

const bytes = (...values: number[]): Buffer => Buffer.from(values);
const vector = (width: 1 | 2 | 3, content: Buffer): Buffer => {
  const length = Buffer.alloc(width);
  length.writeUIntBE(content.length, 0, width);
  return Buffer.concat([length, content]);
};
const extension = (type: number, content: Buffer): Buffer => Buffer.concat([bytes(type >> 8, type & 255), vector(2, content)]);

export function clientHello({ serverName, extension: body, recordBytes }: HelloWishes = {}): Buffer {
  const name = serverName === undefined ? undefined : vector(2, Buffer.concat([bytes(0), vector(2, Buffer.from(serverName as string, 'latin1'))]));
  const sni = body ?? name;
  const extensions = Buffer.concat([
    ...(sni === undefined ? [] : [extension(0, sni)]),
    extension(10, vector(2, bytes(0, 29, 0, 23))),
    extension(11, vector(1, bytes(0))),
    extension(13, vector(2, bytes(4, 3, 8, 4, 4, 1, 8, 7))),
  ]);
  const hello = Buffer.concat([bytes(3, 3), randomBytes(32), vector(1, Buffer.alloc(0)), vector(2, bytes(0xc0, 0x2b, 0xc0, 0x2f)), vector(1, bytes(0)), vector(2, extensions)]);
  const message = Buffer.concat([bytes(1), vector(3, hello)]);
  return records(message, recordBytes ?? message.length);
}

function records(message: Buffer, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) parts.push(Buffer.concat([bytes(22, 3, 1), vector(2, message.subarray(at, at + size))]));
  return Buffer.concat(parts);
}

/** The subject's CN of the certificate that the server sends; `refused` if it ends the handshake, `silent` if nothing comes. */
export function certificateFor(port: number, hello: Buffer, waitMs = 5_000): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(hello));
    let seen: Buffer = Buffer.alloc(0);
    const done = (answer: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => done('silent'), waitMs);
    socket.on('error', () => done('refused'));
    socket.on('close', () => done('refused'));
    socket.on('data', (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      const found = certificateIn(seen);
      if (found !== undefined) done(found);
    });
  });
}

function certificateIn(stream: Buffer): string | undefined {
  const fragments: Buffer[] = [];
  for (let at = 0; at + 5 <= stream.length; at += 5 + stream.readUInt16BE(at + 3)) {
    if (stream[at] === 21) return 'refused';
    fragments.push(stream.subarray(at + 5, at + 5 + stream.readUInt16BE(at + 3)));
  }
  const messages = Buffer.concat(fragments);
  for (let at = 0; at + 4 <= messages.length; at += 4 + messages.readUIntBE(at + 1, 3)) {
    const length = messages.readUIntBE(at + 1, 3);
    if (messages[at] !== 11 || at + 4 + length > messages.length) continue;
    const first = at + 4 + 3;
    return /CN=([^\n]*)/.exec(new X509Certificate(messages.subarray(first + 3, first + 3 + messages.readUIntBE(first, 3))).subject)?.[1];
  }
  return undefined;
}
