// The smallest WebSocket server that a demo needs (RFC 6455): it accepts an upgrade, says who it is, and sends every frame back.
// Fragments come back as fragments, so that no message is ever put together.
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const MAX_FRAME_BYTES = 1024 * 1024;
const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const;
/** Close codes of RFC 6455 §7.4.1. */
const CLOSE = { protocolError: 1002, tooBig: 1009 } as const;

/** Takes over a connection that asked for an upgrade. `greeting` is the first message to the client. */
export function acceptWebSocket(request: IncomingMessage, socket: Duplex, head: Buffer, greeting: string): void {
  const key = request.headers['sec-websocket-key'];
  if (request.headers.upgrade?.toLowerCase() !== 'websocket' || key === undefined) {
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    return;
  }
  const accept = createHash('sha1').update(key + ACCEPT_SUFFIX).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.write(frame(0x80 | OPCODE.text, Buffer.from(greeting)));
  socket.on('error', () => socket.destroy());
  socket.on('end', () => socket.end());
  let buffered = head;
  const read = (): void => {
    for (let next = readFrame(buffered); next !== undefined; next = readFrame(buffered)) {
      if (typeof next === 'number') {
        socket.end(closeFrame(next));
        buffered = Buffer.alloc(0);
        return;
      }
      buffered = buffered.subarray(next.length);
      const opcode = next.first & 0x0f;
      if (opcode === OPCODE.close) socket.end(frame(0x80 | OPCODE.close, next.payload));
      else if (opcode === OPCODE.ping) socket.write(frame(0x80 | OPCODE.pong, next.payload));
      else if (opcode !== OPCODE.pong) socket.write(frame(next.first, next.payload));
    }
  };
  socket.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    read();
  });
  read();
}

interface Frame {
  /** FIN, reserved bits and opcode. */
  readonly first: number;
  readonly payload: Buffer;
  /** Of the whole frame, in bytes. */
  readonly length: number;
}

/** The frame at the beginning of `bytes`; undefined if it is not all there yet; a close code if it is none that a client may send. */
function readFrame(bytes: Buffer): Frame | number | undefined {
  if (bytes.length < 2) return undefined;
  const first = bytes.readUInt8(0);
  const second = bytes.readUInt8(1);
  // Reserved bits need an extension, and clients must mask (RFC 6455 §5.1, §5.2).
  if ((first & 0x70) !== 0 || (second & 0x80) === 0) return CLOSE.protocolError;
  const short = second & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const head = 2 + lengthBytes + 4;
  if (bytes.length < head) return undefined;
  const size = lengthBytes === 0 ? short : lengthBytes === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (size > MAX_FRAME_BYTES) return CLOSE.tooBig;
  if (bytes.length < head + size) return undefined;
  const mask = bytes.subarray(head - 4, head);
  const payload = Buffer.from(bytes.subarray(head, head + size));
  for (let index = 0; index < size; index++) payload[index] = (payload[index] ?? 0) ^ (mask[index & 3] ?? 0);
  return { first, payload, length: head + size };
}

function frame(first: number, payload: Buffer): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head.writeUInt8(first, 0);
  head.writeUInt8(length < 126 ? length : length < 65_536 ? 126 : 127, 1);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

function closeFrame(code: number): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return frame(0x80 | OPCODE.close, payload);
}
