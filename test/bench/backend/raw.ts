// The endpoint for what nginx cannot do: `node test/bench/backend/raw.ts`, which prints its port. On a bare socket it takes an
// upload to its end before it answers (nginx would answer first), and echoes small WebSocket messages: RFC 6455 without
// fragments, and with no message of more than 125 bytes. It trusts that a head comes in one piece with nothing in front of it.
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const MASK_BYTES = 4;
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok';

const server = createServer({ noDelay: true }, (socket) => {
  let take = heads;
  let bodyLeft = 0;
  let frames: Buffer = Buffer.alloc(0);
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => take(chunk));

  function heads(chunk: Buffer): void {
    const end = chunk.indexOf('\r\n\r\n') + 4;
    const head = chunk.toString('latin1', 0, end);
    const key = /\r\nsec-websocket-key: *(\S+)/i.exec(head)?.[1];
    if (key !== undefined) {
      socket.write(upgraded(key));
      take = messages;
      messages(chunk.subarray(end));
      return;
    }
    bodyLeft = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    take = body;
    body(chunk.subarray(end));
  }

  function body(chunk: Buffer): void {
    bodyLeft -= chunk.length;
    if (bodyLeft > 0) return;
    take = heads;
    socket.write(ANSWER);
  }

  function messages(chunk: Buffer): void {
    frames = echo(socket, frames.length === 0 ? chunk : Buffer.concat([frames, chunk]));
  }
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => console.log((server.address() as AddressInfo).port));

function upgraded(key: string): string {
  const accept = createHash('sha1').update(key + GUID).digest('base64');
  return `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`;
}

/** Answers all whole messages of `bytes` and gives back the rest. */
function echo(socket: Socket, bytes: Buffer): Buffer {
  let at = 0;
  while (bytes.length - at >= 2) {
    const length = bytes[at + 1]! & 0x7f;
    const payload = at + 2 + MASK_BYTES;
    if (bytes.length < payload + length) break;
    const answer = Buffer.allocUnsafe(2 + length);
    answer[0] = bytes[at]!;
    answer[1] = length;
    for (let index = 0; index < length; index++) answer[2 + index] = bytes[payload + index]! ^ bytes[at + 2 + (index % MASK_BYTES)]!;
    socket.write(answer);
    at = payload + length;
  }
  return bytes.subarray(at);
}
